use ndarray::{Array1, Array2, Axis, concatenate};
use nezha_graphs::head_spec::{Combine, Mix, OutputSpec, Pool, Read};

use super::{Part, Place, pool};
use crate::reference::heads::parts::pooled;
use crate::reference::{ReferenceError, ops};

pub(super) fn read(place: &Place, output: &OutputSpec) -> Result<Part, ReferenceError> {
    let layers = output.layers.indices(&place.given.model.config);
    let layers: Vec<&Array2<f64>> = layers
        .into_iter()
        .map(|i| &place.text.hidden_states[i])
        .collect();
    let x = mix(place, &output.mix, &layers)?;
    let readings = output.read.iter().map(|read| {
        let of_text = |way| Part::Text(pool::pool(place, way, &x));
        Ok(match read {
            Read::Pooler => {
                let all = pooled(place.given)?;
                Part::Text(all.row(place.number).to_owned().insert_axis(Axis(0)))
            }
            Read::Mean => of_text(Pool::Mean),
            Read::MeanAll => of_text(Pool::MeanAll),
            Read::Max => of_text(Pool::Max),
            Read::MaxAll => of_text(Pool::MaxAll),
            Read::Tokens => Part::Tokens(x.clone()),
            Read::Cls => of_text(Pool::Cls),
        })
    });
    let readings = readings.collect::<Result<Vec<_>, ReferenceError>>()?;
    Ok(combine(output.combine, &readings))
}

/// Mixes layers `[s, H]` to one value.
fn mix(place: &Place, mix: &Mix, layers: &[&Array2<f64>]) -> Result<Array2<f64>, ReferenceError> {
    let views: Vec<_> = layers.iter().map(|it| it.view()).collect();
    let shape = layers[0].dim();
    let weights = match mix {
        Mix::Weighted(weighted) => {
            let shape = weighted.shape.clone().unwrap_or_default();
            let root = place.given.model.weights.root();
            let tensor = root.weight(&weighted.weights, ndarray::IxDyn(&shape))?;
            let weights: Array1<f64> = tensor.iter().map(|it| f64::from(*it)).collect();
            match weighted.softmax {
                true => ops::softmax(weights.view()),
                false => weights,
            }
        }
        Mix::Average => Array1::from_elem(layers.len(), 1.0 / layers.len() as f64),
        Mix::Concatenate => {
            let width = shape.1 * layers.len();
            let all = concatenate(Axis(1), &views);
            return Ok(all.unwrap_or_else(|_| Array2::zeros((shape.0, width))));
        }
    };
    let mut sum = Array2::zeros(shape);
    for (layer, weight) in layers.iter().zip(weights) {
        sum.scaled_add(weight, layer);
    }
    Ok(sum)
}

/// Combines several values of the same form to one.
pub(super) fn combine(combine: Combine, parts: &[Part]) -> Part {
    let first = &parts[0];
    if parts.len() == 1 {
        return first.clone();
    }
    if let (Combine::Concatenate, Part::Text(_) | Part::Tokens(_)) = (combine, first) {
        let all: Vec<Array2<f64>> = parts.iter().map(Part::vectors).collect();
        let rows = all[0].nrows();
        let width = all.iter().map(|it| it.ncols()).sum();
        let columns: Vec<f64> = (0..rows)
            .flat_map(|row| all.iter().flat_map(move |it| it.row(row).to_vec()))
            .collect();
        let joined = Array2::from_shape_vec((rows, width), columns);
        let joined = joined.unwrap_or_else(|_| Array2::zeros((rows, width)));
        return match first {
            Part::Text(_) => Part::Text(joined),
            _ => Part::Tokens(joined),
        };
    }
    let arrays = parts.iter().map(|it| match it {
        Part::Text(vectors) | Part::Tokens(vectors) => vectors.clone().into_dyn(),
        Part::Other(array) => array.clone(),
    });
    let sum = arrays.reduce(|a, b| a + b).unwrap_or_default();
    let result = match combine {
        Combine::Average => sum / parts.len() as f64,
        Combine::Add | Combine::Concatenate => sum,
    };
    let vectors = |array: ndarray::ArrayD<f64>| array.into_dimensionality().unwrap_or_default();
    match first {
        Part::Text(_) => Part::Text(vectors(result)),
        Part::Tokens(_) => Part::Tokens(vectors(result)),
        Part::Other(_) => Part::Other(result),
    }
}
