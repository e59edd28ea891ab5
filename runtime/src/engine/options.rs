use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use nezha_graphs::{Head, Precision, setters};

use super::kind::{OrtDevice, Place};
use super::openvino_options::OpenVinoOptions;
use super::{EngineError, EngineKind};

/// How an engine is started: options that every engine takes, and options of each family.
///
/// An option that none of the chosen engines takes is an error.
///
/// ```
/// use std::num::NonZeroUsize;
///
/// use nezha_runtime::{EngineOptions, OrtOptions};
///
/// let options = EngineOptions::default()
///     .threads(NonZeroUsize::MIN)
///     .ort(OrtOptions::default().low_memory(true));
/// assert!(options.ort.low_memory);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct EngineOptions {
    /// Threads that share one run. `None` for one per physical core in ONNX Runtime and OpenVINO,
    /// and one per logical core in tract. With 1, tract computes in the calling thread.
    pub threads: Option<NonZeroUsize>,
    /// Whether to maximize the texts per second instead of answering each as soon as possible. ONNX
    /// Runtime and OpenVINO then divide the threads of the CPU among several runs at the same time,
    /// each with memory of its own. ONNX Runtime computes at most 8 runs at the same time, and
    /// `None` for [`threads`](Self::threads) means one per logical core.
    pub throughput: bool,
    /// Record how long every node takes and what computes it. This is the path of the file without
    /// its end: ONNX Runtime appends the date and the time, other engines a few letters.
    ///
    /// The file is complete after [`Session::end_profiling`](crate::Session::end_profiling). ONNX
    /// Runtime also completes it when the session is dropped; other engines keep the record in
    /// memory until profiling ends. Each of several [`sessions`](OrtOptions::sessions) writes its
    /// own file.
    pub profile: Option<PathBuf>,
    /// The options of ONNX Runtime.
    pub ort: OrtOptions,
    /// The options of OpenVINO.
    pub openvino: OpenVinoOptions,
    /// The options of tract.
    pub tract: TractOptions,
}

impl EngineOptions {
    setters! {
        threads: impl Into<Option<NonZeroUsize>>,
        throughput: bool,
        profile: impl Into<Option<PathBuf>>,
        ort: OrtOptions,
        openvino: OpenVinoOptions,
        tract: TractOptions,
    }

    /// How far an engine's outputs may be off with these options, as a share of the largest
    /// magnitude of an output, for a model of this precision and head.
    pub fn tolerance(&self, engine: EngineKind, precision: Precision, head: Head) -> f64 {
        let spec = engine.spec();
        let tolerance = spec.tolerances.of(precision, head);
        match spec.place {
            Place::OpenVino(_) => tolerance.max(self.openvino.precision.tolerance()),
            Place::Ort(_) | Place::Tract | Place::Custom => tolerance,
        }
    }

    /// Refuses an option that none of these engines takes.
    ///
    /// # Errors
    /// [`EngineError::Option`].
    pub fn check(&self, engines: &[EngineKind]) -> Result<(), EngineError> {
        let is_lost = |claim: &&Claim| {
            let takes = |engine: &EngineKind| (claim.is_taken_by)(engine.spec().place);
            (claim.is_set)(self) && !engines.iter().any(takes)
        };
        match (CLAIMS.iter().find(is_lost), engines.first()) {
            (Some(claim), Some(&engine)) => Err(EngineError::Option {
                engine,
                option: claim.option,
                reason: format!("only {} takes it", claim.owner),
            }),
            _ => Ok(()),
        }
    }

    /// Returns these options without those that this engine doesn't take.
    #[must_use]
    pub fn of(&self, engine: EngineKind) -> Self {
        let mut options = self.clone();
        let place = engine.spec().place;
        for claim in CLAIMS.iter().filter(|it| !(it.is_taken_by)(place)) {
            (claim.reset)(&mut options);
        }
        options
    }
}

/// An option that only some engines take.
struct Claim {
    option: &'static str,
    /// What takes it, to be shown to people.
    owner: &'static str,
    is_taken_by: fn(Place) -> bool,
    is_set: fn(&EngineOptions) -> bool,
    reset: fn(&mut EngineOptions),
}

/// The claim of an engine family to a field of its options.
macro_rules! claim {
    ($family:ident.$field:ident, $owner:expr, $places:pat) => {
        Claim {
            option: concat!(stringify!($family), ".", stringify!($field)),
            owner: $owner,
            is_taken_by: |place| matches!(place, $places),
            is_set: |it| it.$family.$field != EngineOptions::default().$family.$field,
            reset: |it| it.$family.$field = EngineOptions::default().$family.$field,
        }
    };
}

const ORT: &str = "ONNX Runtime";
const OPENVINO: &str = "OpenVINO";

const CLAIMS: [Claim; 16] = [
    claim!(ort.sessions, ORT, Place::Ort(_)),
    claim!(ort.optimization, ORT, Place::Ort(_)),
    claim!(ort.memory_arena, ORT, Place::Ort(_)),
    claim!(ort.low_memory, ORT, Place::Ort(_)),
    claim!(ort.optimized_graph, ORT, Place::Ort(_)),
    claim!(ort.optimized_models, ORT, Place::Ort(_)),
    claim!(ort.library, ORT, Place::Ort(_)),
    claim!(
        ort.device,
        "ONNX Runtime on a GPU or an NPU",
        Place::Ort(
            OrtDevice::Cuda
                | OrtDevice::TensorRt
                | OrtDevice::DirectMl
                | OrtDevice::Cann
                | OrtDevice::MiGraphX
                | OrtDevice::WebGpu
        )
    ),
    claim!(
        ort.tensorrt,
        "ONNX Runtime with TensorRT",
        Place::Ort(OrtDevice::TensorRt)
    ),
    claim!(openvino.precision, OPENVINO, Place::OpenVino(_)),
    claim!(openvino.hint, OPENVINO, Place::OpenVino(_)),
    claim!(openvino.group_size, OPENVINO, Place::OpenVino(_)),
    claim!(openvino.cache, OPENVINO, Place::OpenVino(_)),
    claim!(openvino.library, OPENVINO, Place::OpenVino(_)),
    claim!(tract.plans, "tract", Place::Tract),
    claim!(tract.plan_bytes, "tract", Place::Tract),
];

/// The options of ONNX Runtime.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OrtOptions {
    /// How many runs ONNX Runtime may compute at the same time; further callers wait.
    ///
    /// Sessions share the weights, embedded or external, both as they are stored and as the kernels
    /// rearrange them. A base-size model takes 559 MB with one session, 1250 with two and 1570 with
    /// four; 770 and 789 if the allocator returns free memory to the system. With an [optimized
    /// model](Self::optimized_models), each session has its own copy of the weights.
    pub sessions: NonZeroUsize,
    /// How far ONNX Runtime rewrites the graph.
    pub optimization: Optimization,
    /// Whether ONNX Runtime keeps the CPU memory of a run for the next run (its arena), which is
    /// faster. Without it, memory returns to the system after each run.
    pub memory_arena: bool,
    /// Whether ONNX Runtime leaves weights as they are stored, instead of rearranging them for its
    /// kernels when it loads them. External weights are then not copied at all: sessions and other
    /// processes read them where they are mapped. This takes less anonymous memory and starts
    /// sooner, but runs are slower.
    pub low_memory: bool,
    /// Whether ONNX Runtime's threads sleep as soon as a run is done, instead of spinning for a
    /// while until the next one: for processes in which something else computes between the runs.
    pub(crate) yield_between_runs: bool,
    /// Where ONNX Runtime writes the graph as it has rewritten it, weights included. The nodes of a
    /// [profile](EngineOptions::profile) have the names of this graph. Only `ort:cpu` and
    /// `ort:cuda` are known to write it ([`Capabilities::writes_graph`](super::Capabilities)): what
    /// the other execution providers compile can't be saved.
    pub optimized_graph: Option<PathBuf>,
    /// A folder for optimized models: ONNX Runtime saves each optimized model there, and loads it
    /// the next time instead of optimizing again.
    ///
    /// This halves the start of small models. A large one gains nothing, because its time goes into
    /// reading the weights, not into the graph.
    ///
    /// A saved model is used again if all of these are the same: the content of the model file, the
    /// version of ONNX Runtime, the engine, the optimization level, the disabled optimizers, the
    /// operating system, the processor's architecture and its instruction sets. Each is as large as
    /// its model, and nothing removes old ones. The option is refused for models with external
    /// weights, which would be copied, and for all engines but `ort:cpu` and `ort:cuda`, since what
    /// the other execution providers compile can't be saved. TensorRT has [an engine
    /// cache](TensorRtOptions::engine_cache) of its own.
    pub optimized_models: Option<PathBuf>,
    /// The number of the device, from 0: of a GPU or an NPU, for CUDA, TensorRT, DirectML, CANN,
    /// MIGraphX and WebGPU.
    pub device: u32,
    /// The options of TensorRT.
    pub tensorrt: TensorRtOptions,
    /// The ONNX Runtime library to load, or the folder that holds it.
    pub library: Option<PathBuf>,
}

impl OrtOptions {
    setters! {
        sessions: NonZeroUsize,
        optimization: Optimization,
        memory_arena: bool,
        low_memory: bool,
        optimized_graph: impl Into<Option<PathBuf>>,
        optimized_models: impl Into<Option<PathBuf>>,
        device: u32,
        tensorrt: TensorRtOptions,
        library: impl Into<Option<PathBuf>>,
    }
}

impl Default for OrtOptions {
    fn default() -> Self {
        Self {
            sessions: NonZeroUsize::MIN,
            optimization: Optimization::default(),
            memory_arena: true,
            low_memory: false,
            yield_between_runs: false,
            optimized_graph: None,
            optimized_models: None,
            device: 0,
            tensorrt: TensorRtOptions::default(),
            library: None,
        }
    }
}

/// The options of tract.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TractOptions {
    /// How many input shapes tract keeps a plan of their own for; the least recently used plan is
    /// dropped.
    ///
    /// The first run of a shape makes its plan, which takes as long as a few runs, and each plan
    /// has a copy of the weights. In such a plan tract fuses more nodes, and picks other kernels
    /// for the products. That isn't always faster: at base size, 128 tokens and one thread of an
    /// AMD EPYC, later runs took 1.32 times as long as with the one plan for all shapes. Measure
    /// before you use it (`nezha bench --tract-plans 1`). With 0, one plan serves all shapes.
    pub plans: usize,
    /// Bytes that the plans of single shapes take together, at most; the least recently used plan
    /// is dropped. With this option alone, without [`plans`](Self::plans), tract keeps plans for as
    /// many shapes as there is room for. If there isn't even room for the weights, it is an error.
    ///
    /// A plan that is larger than this limit serves its run, but isn't kept. Embedding tables are
    /// not counted if they are [read in place](nezha_graphs::Artifact::is_shared).
    pub plan_bytes: Option<u64>,
}

impl TractOptions {
    setters! {
        plans: usize,
        plan_bytes: impl Into<Option<u64>>,
    }
}

/// ONNX Runtime's graph optimization levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Optimization {
    /// Leaves the graph as it is.
    None,
    /// Folds constants and removes redundant nodes.
    Basic,
    /// Also fuses nodes.
    Extended,
    /// All optimizations, including those of the memory layout.
    #[default]
    All,
}

/// How TensorRT builds the engines that it runs a graph with.
///
/// An engine is built for a range of shapes. TensorRT learns the range from the inputs that it
/// sees, and an input outside the range delays its run by minutes, while a new engine is built.
/// Give [`shapes`](Self::shapes) to build one engine for all of them, and
/// [`engine_cache`](Self::engine_cache) to build it only once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorRtOptions {
    /// The folder that keeps the engines from one process to the next; created if it doesn't exist.
    pub engine_cache: Option<PathBuf>,
    /// Whether layers may compute in float16.
    pub fp16: bool,
    /// The range of every symbolic axis of the graph's inputs, such as `batch_size` and
    /// `sequence_length`. Give all of them, or none: TensorRT then learns them.
    pub shapes: BTreeMap<String, AxisRange>,
}

/// The sizes of an axis for which TensorRT builds an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AxisRange {
    /// The smallest size.
    pub min: usize,
    /// The size that the engine is tuned for.
    pub optimal: usize,
    /// The largest size.
    pub max: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_no_engine_of_the_choice_takes_is_an_error_that_says_what_takes_it() {
        use EngineKind::{OrtCpu, OrtCuda, Tract};
        let low_memory = EngineOptions::default().ort(OrtOptions::default().low_memory(true));
        let second_gpu = EngineOptions::default().ort(OrtOptions::default().device(1));
        let plans = EngineOptions::default().tract(TractOptions::default().plans(2));
        for (options, refused, accepted, expected) in [
            (
                &low_memory,
                vec![Tract],
                vec![OrtCpu, Tract],
                "tract can't start: option 'ort.low_memory': only ONNX Runtime takes it",
            ),
            (
                &second_gpu,
                vec![OrtCpu, Tract],
                vec![OrtCuda],
                "ort:cpu can't start: option 'ort.device': only ONNX Runtime on a GPU or an NPU takes it",
            ),
            (
                &plans,
                vec![OrtCpu],
                vec![OrtCpu, Tract],
                "ort:cpu can't start: option 'tract.plans': only tract takes it",
            ),
        ] {
            let error = options.check(&refused).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert!(options.check(&accepted).is_ok(), "{accepted:?}");
            assert!(
                options.of(refused[0]).check(&refused).is_ok(),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn the_default_options_suit_every_engine() {
        for engine in EngineKind::ALL {
            assert!(
                EngineOptions::default().check(&[engine]).is_ok(),
                "{engine}"
            );
        }
    }
}
