use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// How an engine is started.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Threads that share one run; `None` for one per physical core in ONNX Runtime, one per logical
    /// core in tract. One in tract is the thread that calls.
    pub threads: Option<NonZeroUsize>,
    /// Runs that ONNX Runtime may compute at the same time; more callers wait their turn.
    ///
    /// tract takes any number. Sessions share the weights, embedded or external, as they are stored
    /// and as the kernels rearrange them: a base-size model takes 559 MB with one session, 1250 with
    /// two and 1570 with four; 770 and 789 where the allocator gives back what is free. Each has a
    /// copy of its own of an [optimised model](Self::optimized_models).
    pub sessions: NonZeroUsize,
    /// How far ONNX Runtime rewrites the graph; tract always optimises.
    pub optimization: Optimization,
    /// Whether ONNX Runtime keeps the CPU memory of a run for the next one (its arena), which is
    /// faster; without it, memory goes back to the system after each run.
    pub memory_arena: bool,
    /// Whether ONNX Runtime leaves weights as they are stored, instead of rearranging them for its
    /// kernels when it loads them. External weights are then not copied at all: sessions, and other
    /// processes, read them where they are mapped: a base-size model takes 18 MB of anonymous memory
    /// against 360, and starts sooner. Runs get slower.
    pub low_memory: bool,
    /// Where the engine writes how long every node takes and which execution provider computes it:
    /// the start of a file name, which gets the date and the time behind it, or a few letters in
    /// tract.
    ///
    /// The file is complete after [`Session::end_profiling`](crate::Session::end_profiling); ONNX
    /// Runtime's also once the session is gone, while tract keeps what it records in memory until
    /// then. Each of several [`sessions`](Self::sessions) writes its own.
    pub profile: Option<PathBuf>,
    /// Where ONNX Runtime writes the graph as it rewrote it, weights included: the names of a
    /// [profile](Self::profile)'s nodes are this graph's. Not with TensorRT, whose parts can't be
    /// written.
    pub optimized_graph: Option<PathBuf>,
    /// A folder for optimised models: ONNX Runtime saves what it makes of a model, and loads that
    /// the next time instead of optimising again.
    ///
    /// This halves the start of small models. A large one gains nothing: its time goes into reading
    /// the weights, not into the graph.
    ///
    /// Saved models are told apart by the content of the file, the version of ONNX Runtime, the
    /// engine, the optimisation level and the CPU's features. Each is as large as its model, and
    /// nothing removes old ones. Refused for models with external weights, which would be copied,
    /// and for TensorRT, which has [an engine cache](TensorRtOptions::engine_cache) of its own.
    pub optimized_models: Option<PathBuf>,
    /// The GPU of CUDA and TensorRT, as CUDA counts them from 0.
    pub device: u32,
    /// What only TensorRT takes.
    pub tensorrt: TensorRtOptions,
    /// Input shapes for which tract keeps a plan of its own; the least recently used one goes.
    ///
    /// The first run of a shape makes the plan, which takes as long as a few runs, and each plan has a
    /// copy of the weights. tract fuses more in it, and picks other kernels for the products: at base
    /// size, 128 tokens and one thread of an AMD EPYC, the runs after it took 1.32 times as long as
    /// those of the one plan for all shapes. Measure before use (`nezha bench --tract-plans 1`). With
    /// 0, one plan serves all.
    pub tract_plans: usize,
    /// The ONNX Runtime library to load, or the folder that holds it.
    pub ort_library: Option<PathBuf>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            threads: None,
            sessions: NonZeroUsize::MIN,
            optimization: Optimization::default(),
            memory_arena: true,
            low_memory: false,
            profile: None,
            optimized_graph: None,
            optimized_models: None,
            device: 0,
            tensorrt: TensorRtOptions::default(),
            tract_plans: 0,
            ort_library: None,
        }
    }
}

/// ONNX Runtime's graph optimisation levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Optimization {
    /// The graph as it is.
    None,
    /// Constants folded, redundant nodes removed.
    Basic,
    /// Fusions too.
    Extended,
    /// Everything.
    #[default]
    All,
}

/// How TensorRT builds the engines that it runs a graph with.
///
/// An engine is built for a range of shapes. TensorRT learns the range from the inputs it sees, and
/// an input outside it stalls the run for minutes while a new engine is built: give
/// [`shapes`](Self::shapes) to build one engine for all of them, and
/// [`engine_cache`](Self::engine_cache) to build it once.
#[derive(Clone, Debug, Default)]
pub struct TensorRtOptions {
    /// The folder that keeps the engines from one process to the next; made where it is missing.
    pub engine_cache: Option<PathBuf>,
    /// Whether layers may compute in float16.
    pub fp16: bool,
    /// The range of every axis that the graph's inputs name, such as `batch_size` and
    /// `sequence_length`: all of them, or none to learn them.
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
