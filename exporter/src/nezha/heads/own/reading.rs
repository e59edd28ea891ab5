//! What a head reads: layers are mixed to one value, and its readings are combined to one value.

use nezha_graphs::head_spec::{Combine, Mix, OutputSpec, Pool, Read, Weighted};

use super::{Place, pool};
use crate::graph::{Scope, Value};
use crate::nezha::heads::parts::pooler;

pub(super) fn read(place: &Place, output: &OutputSpec) -> Value {
    let given = place.given;
    let layers = output.layers.indices(given.config);
    let layers: Vec<Value> = layers.iter().map(|i| given.hidden_states[*i]).collect();
    let x = || mix(place, &output.mix, &layers);
    let mut made = None;
    let mut mixed = || *made.get_or_insert_with(&x);
    let readings = output.read.iter().map(|read| match read {
        Read::Pooler => pooler(given),
        Read::Tokens => mixed(),
        Read::Cls => pool::pool(place, Pool::Cls, mixed()),
        Read::Mean => pool::pool(place, Pool::Mean, mixed()),
        Read::MeanAll => pool::pool(place, Pool::MeanAll, mixed()),
        Read::Max => pool::pool(place, Pool::Max, mixed()),
        Read::MaxAll => pool::pool(place, Pool::MaxAll, mixed()),
    });
    let readings: Vec<Value> = readings.collect();
    combine(&place.scope, output.combine, &readings)
}

/// Mixes layers to one value.
fn mix(place: &Place, mix: &Mix, layers: &[Value]) -> Value {
    let s = &place.scope;
    match (mix, layers) {
        (Mix::Weighted(weighted), layers) => sum_with_weights(place, weighted, layers),
        (_, [only]) => *only,
        (Mix::Average, layers) => combine(s, Combine::Average, layers),
        (Mix::Concatenate, layers) => combine(s, Combine::Concatenate, layers),
    }
}

/// Σ wᵢ·xᵢ.
fn sum_with_weights(place: &Place, weighted: &Weighted, layers: &[Value]) -> Value {
    let s = &place.scope;
    let (of_tensor, name) = place.tensor(&weighted.weights);
    let shape = weighted.shape.as_deref().unwrap_or_default();
    let weights = s.reshape(of_tensor.weight(name, shape), &[layers.len() as i64]);
    let weights = match weighted.softmax {
        true => s.softmax(weights),
        false => weights,
    };
    let terms = layers.iter().enumerate().map(|(i, x)| {
        let weight = s.gather(weights, s.int64(i as i64), 0);
        s.mul(*x, weight)
    });
    sum(s, &terms.collect::<Vec<_>>())
}

/// Combines several values to one.
pub(super) fn combine(s: &Scope, combine: Combine, values: &[Value]) -> Value {
    match (combine, values) {
        (_, [only]) => *only,
        (Combine::Add, values) => sum(s, values),
        (Combine::Average, values) => s.div(sum(s, values), s.float(values.len() as f32)),
        (Combine::Concatenate, values) => s.concat(s.rank(values[0]).saturating_sub(1), values),
    }
}

fn sum(s: &Scope, values: &[Value]) -> Value {
    let (first, rest) = (values[0], &values[1..]);
    rest.iter().fold(first, |sum, value| s.add(sum, *value))
}
