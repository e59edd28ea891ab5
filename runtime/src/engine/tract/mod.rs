//! tract: ONNX in pure Rust, on the CPU and in float32.
//!
//! tract panics in some cases where others return an error: on outputs that no node computes, on
//! some operators that it can't handle, on sizes that don't fit. A model file must not end the
//! program, so loading and running catch panics and turn them into errors. A panic can't leave
//! shared data half written: loading builds everything anew, and a run has its own state over an
//! immutable plan.

mod elementwise;
mod gather;
mod reading;
mod rows;
#[cfg(test)]
mod sample;
mod shaped;

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nezha_graphs::{Dim, Port};
use tract_linalg::multithread::{Executor, multithread_tract_scope};
use tract_onnx::prelude::{
    Datum, DatumType, InferenceModel, InferenceModelExt, IntoRunnable, TDim, TValue, TVec, ToDim,
    TractError, TractResult, TypedModel, TypedRunnableModel,
};
use tract_onnx::tract_core::optim::Optimizer;
use tract_onnx::tract_core::plan;
use tract_onnx::tract_hir::infer::InferenceFact;

use self::shaped::Shaped;
use super::profile::Profile;
use super::recorder::{Recorder, Step};
use super::{Engine, EngineError, EngineKind, EngineOptions, TractOptions};
use crate::tensor::{Element, with_array, with_element};
use crate::{Model, Tensor, Tensors};

/// tract doesn't report its version; this is the one that the workspace pins.
pub(crate) const VERSION: &str = "0.23.9";

type Value = tract_onnx::prelude::Tensor;
type Plan = Arc<TypedRunnableModel>;

/// A model in tract.
pub(super) struct TractEngine {
    plans: Plans,
    executor: Executor,
    recorder: Option<Recorder>,
    description: String,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
}

enum Plans {
    /// One plan for every shape, with symbolic axes.
    One(Plan),
    /// A plan for each of the shapes that were used last, if the options ask for it.
    Shaped(Box<Shaped>),
}

impl TractEngine {
    pub(super) fn load(model: &Model, options: &EngineOptions) -> Result<Self, EngineError> {
        check_blocks(model)?;
        let profile = options.profile.as_deref();
        let recorder = profile.map(|it| Recorder::start(EngineKind::Tract, it));
        let recorder = recorder.transpose()?;
        let executor = caught(|| Ok(executor(options.threads)));
        let executor = executor.map_err(|reason| EngineError::Start {
            engine: EngineKind::Tract,
            reason,
        })?;
        let failed = |reason| EngineError::Load {
            engine: EngineKind::Tract,
            path: model.path().to_path_buf(),
            reason,
        };
        let (graph, inputs) = caught(|| graph(model)).map_err(failed)?;
        let plans = match Shaped::new(&graph, &options.tract)? {
            Some(shaped) => Plans::Shaped(Box::new(shaped)),
            None => Plans::One(caught(|| planned(graph, &IDLE)).map_err(failed)?),
        };
        Ok(Self {
            plans,
            executor,
            recorder,
            description: description(&options.tract),
            inputs,
            outputs: model.signature().outputs.clone(),
        })
    }

    /// The plan for these inputs.
    fn plan(&self, inputs: &Tensors) -> Result<Plan, String> {
        match &self.plans {
            Plans::One(plan) => Ok(Arc::clone(plan)),
            Plans::Shaped(shaped) => shaped.plan(&self.inputs, inputs),
        }
    }
}

fn description(options: &TractOptions) -> String {
    let plans = match (options.plans, options.plan_bytes) {
        (0, None) => String::new(),
        (plans, None) => format!(", plans for {plans} shapes"),
        (0, Some(bytes)) => format!(", plans of {bytes} bytes for shapes"),
        (plans, Some(bytes)) => format!(", plans of {bytes} bytes for {plans} shapes"),
    };
    format!("tract {VERSION} (CPU{plans})")
}

impl Engine for TractEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Tract
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn run(&self, inputs: &Tensors, deadline: Option<Instant>) -> Result<Tensors, EngineError> {
        let engine = EngineKind::Tract;
        let failed = |reason| EngineError::Run { engine, reason };
        let plan = self.plan(inputs).map_err(failed)?;
        let values = self.inputs.iter().filter_map(|port| inputs.get(&port.name));
        let values = caught(|| values.map(value).collect()).map_err(failed)?;
        let recorder = self.recorder.as_ref().filter(|it| it.is_recording());
        let late = Cell::new(false);
        let mut taken = recorder.map(|_| Vec::new());
        let begin = Instant::now();
        let values = multithread_tract_scope(self.executor.clone(), || {
            caught(|| compute(&plan, values, deadline, &late, taken.as_mut()))
        });
        let took = begin.elapsed();
        let values = values.map_err(|reason| match late.get() {
            true => EngineError::DeadlineExceeded { engine },
            false => failed(reason),
        })?;
        if let (Some(recorder), Some(taken)) = (recorder, taken) {
            let steps = taken.iter().map(|it| it.step(&plan));
            recorder.add(engine.name(), begin, took, steps);
        }
        let outputs = self.outputs.iter().zip(values);
        outputs
            .map(|(port, value)| Ok((port.name.as_str(), tensor(&value, port)?)))
            .collect()
    }

    fn end_profiling(&self) -> Result<Profile, EngineError> {
        Recorder::end_of(EngineKind::Tract, self.recorder.as_ref())
    }
}

/// The threads that share a run; with any number of threads, tract's outputs are bit-identical.
fn executor(threads: Option<NonZeroUsize>) -> Executor {
    let all = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    match threads.unwrap_or_else(all).get() {
        1 => Executor::SingleThread,
        threads => Executor::multithread_with_name(threads, "tract"),
    }
}

/// The computation of a node.
struct Taken {
    node: usize,
    begin: Instant,
    took: Duration,
}

impl Taken {
    fn step<'p>(&self, plan: &'p Plan) -> Step<'p> {
        let node = plan.model().node(self.node);
        Step {
            node: &node.name,
            op_type: node.op().name().into_owned(),
            begin: self.begin,
            took: self.took,
        }
    }
}

/// Refuses products with weights in blocks: tract has none for 8 bits, and those for 4 bits give
/// wrong results in whole models, though each product by itself is right.
fn check_blocks(model: &Model) -> Result<(), EngineError> {
    let mut nodes = model.proto().graph.iter().flat_map(|it| &it.node);
    match nodes.find(|it| it.op_type == BLOCKS) {
        None => Ok(()),
        Some(node) => Err(EngineError::Operator {
            engine: EngineKind::Tract,
            path: model.path().to_path_buf(),
            operator: BLOCKS.to_owned(),
            node: node.name.clone(),
            remedy: "run it in ONNX Runtime, or export it in int8, which every engine has",
        }),
    }
}

/// ONNX Runtime's product with weights of few bits in blocks.
const BLOCKS: &str = "MatMulNBits";

/// Runs a plan; no node begins after the deadline.
fn compute(
    plan: &Plan,
    inputs: TVec<TValue>,
    deadline: Option<Instant>,
    late: &Cell<bool>,
    mut taken: Option<&mut Vec<Taken>>,
) -> TractResult<TVec<TValue>> {
    if deadline.is_none() && taken.is_none() {
        return plan.run(inputs);
    }
    plan.spawn()?
        .run_plan_with_eval(inputs, |context, state, node, inputs| {
            let begin = Instant::now();
            if deadline.is_some_and(|it| begin >= it) {
                late.set(true);
                return Err(TractError::msg("the deadline"));
            }
            let outputs = plan::eval(context, state, node, inputs)?;
            // A node without inputs only passes on an input of the model: there is nothing to
            // record.
            if let Some(taken) = taken.as_mut().filter(|_| !node.inputs.is_empty()) {
                taken.push(Taken {
                    node: node.id,
                    begin,
                    took: begin.elapsed(),
                });
            }
            Ok(outputs)
        })
}

/// Runs `work`; its error or panic becomes a text.
fn caught<R>(work: impl FnOnce() -> TractResult<R>) -> Result<R, String> {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(answer) => answer.map_err(|error| format!("{error:#}")),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("panicked: {}", text.unwrap_or("no message")))
        }
    }
}

/// The plan of a graph, made without some of tract's passes.
fn planned(mut graph: TypedModel, left_out: &[&str]) -> TractResult<Plan> {
    decluttering(left_out).optimize(&mut graph)?;
    graph.optimize()?;
    elementwise::replace(&mut graph)?;
    gather::replace(&mut graph)?;
    graph.into_runnable()
}

/// tract's passes before it picks kernels, without those whose names begin with one of these.
fn decluttering(left_out: &[&str]) -> Optimizer {
    let mut optimizer = Optimizer::declutter();
    let is_left_out = |pass: &str| left_out.iter().any(|it| pass.starts_with(it));
    let passes = &mut optimizer.passes;
    passes.retain(|it| !is_left_out(&format!("{it:?}")));
    optimizer
}

/// Passes that find nothing in a NEZHA graph: they are for masks and windows that depend only on positions,
/// as in audio models. With symbolic axes they took half of the time to start.
const IDLE: [&str; 3] = ["PropagateUniformTdim", "PropagateRoi", "FoldUniformMask"];

/// What a plan for one shape, which is made while its caller waits, does without besides: the search for axes
/// to swap takes two fifths of the time to make it, and the plan is as fast. One plan for every shape is up to
/// 2 % faster with it.
const SLOW: &str = "ChangeAxes";

/// The graph with types and shapes, and the signature's inputs in the order of the graph's.
fn graph(model: &Model) -> TractResult<(TypedModel, Vec<Port>)> {
    let mut graph = reading::read(model)?;
    let outlets = graph.input_outlets()?.to_vec();
    let ports = outlets
        .iter()
        .map(|it| Ok(model.signature().input(&graph.node(it.node).name)?.clone()))
        .collect::<TractResult<Vec<Port>>>()?;
    for (index, port) in ports.iter().enumerate() {
        let fact = fact(&graph, port)?;
        graph.set_input_fact(index, fact)?;
    }
    Ok((graph.into_typed()?, ports))
}

/// An input's type and shape. tract needs a symbol for every axis without a fixed size.
fn fact(graph: &InferenceModel, port: &Port) -> TractResult<InferenceFact> {
    let symbols = &graph.symbols;
    let dim = |dim: &Dim| match (dim.as_fixed(), dim.as_symbol()) {
        (Some(number), _) => Ok(number.to_dim()),
        (None, Some(name)) => Ok(symbols.sym(name).to_dim()),
        (None, None) => symbols.parse_tdim(dim.to_string()),
    };
    let shape: TVec<TDim> = port.shape.iter().map(dim).collect::<TractResult<_>>()?;
    let dtype = with_element!(port.dtype, T => T::datum_type());
    Ok(InferenceFact::dt_shape(dtype, shape))
}

fn value(tensor: &Tensor) -> TractResult<TValue> {
    Ok(tensor_of(tensor)?.into())
}

fn tensor_of(tensor: &Tensor) -> TractResult<Value> {
    with_array!(&tensor.0, array => {
        // A tensor's layout is standard, so its elements are one slice.
        let elements = array.as_slice().unwrap_or_default();
        Value::from_shape(array.shape(), elements)
    })
}

/// A copy of an output. tract's type for integers that it computes from shapes is `TDim`.
fn tensor(value: &Value, port: &Port) -> Result<Tensor, EngineError> {
    fn copy<T: Element + Datum>(value: &Value) -> Option<Tensor> {
        let value = match value.datum_type() {
            DatumType::TDim => value.cast_to::<T>().ok()?,
            _ => std::borrow::Cow::Borrowed(value),
        };
        let array = value.to_plain_array_view::<T>().ok()?;
        Tensor::from_elements(array.shape(), array.iter().copied().collect()).ok()
    }
    with_element!(port.dtype, T => copy::<T>(value)).ok_or_else(|| EngineError::Output {
        engine: EngineKind::Tract,
        name: port.name.clone(),
        expected: port.dtype,
        found: format!("{:?}{:?}", value.datum_type(), value.shape()),
    })
}

#[cfg(test)]
mod tests {
    use tract_onnx::prelude::{DatumExt, SpecialOps};
    use tract_onnx::tract_core::ops::array::GatherElements;
    use tract_onnx::tract_core::ops::math::{add, sub};

    use super::*;

    /// With symbolic axes, as in the graphs that we export.
    #[test]
    fn a_plan_has_our_operators_in_place_of_tracts_slow_ones() {
        let mut graph = TypedModel::default();
        let rows = graph.symbols.sym("rows").to_dim();
        let shape = [rows.clone(), 64.to_dim()];
        let x = graph.add_source("x", f32::fact(&shape)).unwrap();
        let indices = graph.add_source("indices", i32::fact(&shape)).unwrap();
        let column = f32::fact([rows, 1.to_dim()]);
        let column = graph.add_source("column", column).unwrap();

        let gather = GatherElements { axis: 1 };
        let picked = graph.wire_node("picked", gather, &[x, indices]).unwrap()[0];
        let less = graph.wire_node("less", sub(), &[picked, column]).unwrap()[0];
        let sum = graph.wire_node("sum", add(), &[less, x]).unwrap();
        graph.select_output_outlets(&sum).unwrap();

        let plan = planned(graph, &IDLE).unwrap();
        let op = |name: &str| plan.model().node_by_name(name).unwrap().op();
        assert!(
            op("picked").is::<gather::GatherRows>(),
            "{:?}",
            op("picked")
        );
        for name in ["less", "sum"] {
            assert!(op(name).is::<elementwise::Elementwise>(), "{:?}", op(name));
        }
    }

    #[test]
    fn the_passes_that_are_left_out_are_there() {
        let all = Optimizer::declutter().passes.len();
        for name in [&IDLE[..], &[SLOW]].concat() {
            assert_eq!(decluttering(&[name]).passes.len() + 1, all, "{name}");
        }
    }
}
