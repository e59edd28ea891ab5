/// How a weight lies in the artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// As the checkpoint has it.
    AsStored,
    /// A matrix with its two axes exchanged.
    Transposed,
}

/// The weights that a graph may name.
pub trait Weights {
    /// The shape of the weight called `name`, if there is one.
    fn shape(&self, name: &str) -> Option<&[usize]>;

    /// Whether the artifact points to the weights in the checkpoint's own files, so that each lies
    /// as it is stored and exchanging a matrix's axes is the work of a node.
    fn in_place(&self) -> bool {
        false
    }
}

/// No weights at all, for graphs without parameters.
pub struct NoWeights;

impl Weights for NoWeights {
    fn shape(&self, _name: &str) -> Option<&[usize]> {
        None
    }
}

/// A weight that the graph needs and can't have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeightError {
    /// It is not there.
    #[error("tensor '{name}' {expected:?} is missing")]
    Missing {
        /// Its name.
        name: String,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// It has another shape than the config says.
    #[error("tensor '{name}' has shape {found:?}, but config.json makes it {expected:?}")]
    Shape {
        /// Its name.
        name: String,
        /// The shape it should have.
        expected: Vec<usize>,
        /// The shape it has.
        found: Vec<usize>,
    },
}
