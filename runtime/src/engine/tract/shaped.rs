//! Plans for one shape each: tract folds and fuses more if it knows the sizes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use nezha_graphs::Port;
use tract_onnx::prelude::{Symbol, TDim, ToDim, TractResult, TypedModel};
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::matmul::optimized::{MatMulOperand, OptMatMul, ProtoFusedSpec};

use super::{IDLE, Plan, SLOW, Value, caught, planned};
use crate::Tensors;
use crate::engine::recent::Recent;
use crate::engine::{EngineError, EngineKind, TractOptions};

/// The sizes of the symbolic axes of the inputs.
type Sizes = Vec<(String, usize)>;

/// The plans of the shapes that were used last.
pub(super) struct Shaped {
    graph: TypedModel,
    plans: Recent<Sizes, Made>,
}

/// A plan, or why it can't be made, and the bytes that only this plan takes.
#[derive(Clone)]
struct Made {
    plan: Result<Plan, String>,
    bytes: u64,
}

impl Shaped {
    /// Plans of a graph, as many as the options allow; `None` if the options ask for none.
    pub(super) fn new(
        graph: &TypedModel,
        options: &TractOptions,
    ) -> Result<Option<Self>, EngineError> {
        let count = match (options.plans, options.plan_bytes) {
            (0, None) => return Ok(None),
            (0, Some(_)) => usize::MAX,
            (count, _) => count,
        };
        let room = options.plan_bytes.unwrap_or(u64::MAX);
        let weights = constants(graph).map(bytes_of).sum::<u64>();
        if room < weights {
            return Err(EngineError::Option {
                engine: EngineKind::Tract,
                option: "tract.plan_bytes",
                reason: format!(
                    "{room} bytes hold no plan: each has the weights, which are {weights} bytes"
                ),
            });
        }
        Ok(Some(Self {
            graph: graph.clone(),
            plans: Recent::new(count).within(room, |it| it.bytes),
        }))
    }

    /// The plan for these inputs.
    pub(super) fn plan(&self, ports: &[Port], inputs: &Tensors) -> Result<Plan, String> {
        let sizes = sizes(ports, inputs);
        let make = || {
            let plan = caught(|| self.make(&sizes));
            let bytes = plan.as_ref().map_or(0, |it| self.own_bytes(it.model()));
            Made { plan, bytes }
        };
        self.plans.get_or_make(sizes.clone(), make).plan
    }

    fn make(&self, sizes: &Sizes) -> TractResult<Plan> {
        let symbols = &self.graph.symbols;
        let sizes: HashMap<Symbol, TDim> = sizes
            .iter()
            .map(|(axis, size)| (symbols.sym(axis), size.to_dim()))
            .collect();
        planned(
            self.graph.set_symbols(&sizes)?,
            &[&IDLE[..], &[SLOW]].concat(),
        )
    }

    /// The bytes of a plan's constants that it doesn't share with the graph, and of the weights in
    /// its products.
    fn own_bytes(&self, plan: &TypedModel) -> u64 {
        let shared: HashSet<*const Value> = constants(&self.graph).map(Arc::as_ptr).collect();
        let own = constants(plan).filter(|it| !shared.contains(&Arc::as_ptr(it)));
        own.map(bytes_of).sum::<u64>() + arranged(plan)
    }
}

fn sizes(ports: &[Port], inputs: &Tensors) -> Sizes {
    let shapes = ports.iter().filter_map(|port| {
        let sizes = inputs.get(&port.name)?.shape();
        Some(port.shape.iter().zip(sizes))
    });
    let mut sizes: Sizes = shapes
        .flatten()
        .filter_map(|(dim, size)| Some((dim.as_symbol()?.to_owned(), *size)))
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// The constant tensors of a graph, each once.
fn constants(graph: &TypedModel) -> impl Iterator<Item = &Arc<Value>> {
    let constants = graph.nodes.iter().filter_map(|it| it.op_as::<Const>());
    let mut seen = HashSet::new();
    let tensors = constants.map(Const::val);
    tensors.filter(move |it| seen.insert(Arc::as_ptr(it)))
}

/// The bytes of the weights inside products, arranged for their kernels.
fn arranged(plan: &TypedModel) -> u64 {
    let products = plan.nodes.iter().filter_map(|it| it.op_as::<OptMatMul>());
    let operands = products
        .flat_map(|it| &it.micro_ops)
        .flat_map(|it| match it {
            ProtoFusedSpec::AddMatMul { a, b, .. } => vec![a, b],
            _ => Vec::new(),
        });
    let weights = operands.filter_map(|it| match it {
        MatMulOperand::Const(weights) => Some(weights.exotic_fact().buffer_sizes()),
        MatMulOperand::Input(_) => None,
    });
    let sizes = weights.flatten().filter_map(|it| it.as_i64());
    sizes.map(i64::unsigned_abs).sum()
}

/// The bytes of a tensor, as it is stored or arranged for a kernel.
fn bytes_of(tensor: &Arc<Value>) -> u64 {
    if tensor.has_plain_ram_storage() {
        return tensor.as_bytes().len() as u64;
    }
    let arranged = tensor.exotic_fact().ok().flatten();
    let buffers = arranged.iter().flat_map(|it| it.buffer_sizes());
    let sizes = buffers.filter_map(|it| it.as_i64());
    sizes.map(i64::unsigned_abs).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use super::*;
    use crate::engine::tract::{graph, sample};
    use crate::{EngineError, Model};

    /// Bytes of the weights of [`sample::lookup_and_product`], whose table isn't copied.
    const WEIGHTS: u64 = 4 * (sample::WIDTH * sample::WIDTH) as u64;

    fn shaped(options: &TractOptions) -> Result<(Option<Shaped>, Vec<Port>), EngineError> {
        let bytes: &'static [u8] = sample::lookup_and_product().leak();
        let (graph, ports) = graph(&Model::from_bytes(bytes).unwrap()).unwrap();
        Ok((Shaped::new(&graph, options)?, ports))
    }

    fn ids(count: usize) -> Tensors {
        Tensors::from([("ids", ndarray::Array1::<i64>::zeros(count).into())])
    }

    #[test]
    fn plans_have_no_more_bytes_together_than_they_are_given() {
        // Each plan has the weights as its kernel arranges them, which pads some rows.
        let room = 5 * WEIGHTS / 2;
        let (shaped, ports) = shaped(&TractOptions::default().plan_bytes(room)).unwrap();
        let shaped = shaped.unwrap();
        let mut made: Vec<(u64, Weak<_>)> = Vec::new();
        for count in [1, 2, 3, 40, 41, 1] {
            let plan = shaped.plan(&ports, &ids(count)).unwrap();
            let bytes = shaped.own_bytes(plan.model());
            assert!(bytes >= WEIGHTS, "{count}: {bytes}");
            made.push((bytes, Arc::downgrade(&plan)));
            drop(plan);
            let kept = made.iter().filter(|it| it.1.strong_count() > 0);
            let kept: Vec<u64> = kept.map(|it| it.0).collect();
            assert!(kept.iter().sum::<u64>() <= room, "{count}: {kept:?}");
            assert!(!kept.is_empty(), "{count}: nothing is kept");
        }
        let again = shaped.plan(&ports, &ids(1)).unwrap();
        assert!(
            made[5]
                .1
                .upgrade()
                .is_some_and(|it| Arc::ptr_eq(&it, &again))
        );
    }

    #[test]
    fn room_for_less_than_the_weights_is_refused() {
        let error = shaped(&TractOptions::default().plan_bytes(WEIGHTS - 1));
        assert_eq!(
            error.err().unwrap().to_string(),
            format!(
                "tract can't start: option 'tract.plan_bytes': {} bytes hold no plan: each has the \
                 weights, which are {WEIGHTS} bytes",
                WEIGHTS - 1
            )
        );
    }
}
