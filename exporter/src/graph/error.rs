use super::weight::WeightError;

/// A graph that does not hold together: without its weights, or, for all other reasons, by a fault of
/// the code that built it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphError {
    /// Weights that are missing or have other shapes, each once, in the order in which they were
    /// read; never empty.
    #[error("{} weights can't be read", .0.len())]
    Weights(Vec<WeightError>),
    /// An operation on values that it can't take.
    #[error("{node}: {reason}")]
    Operation {
        /// The node.
        node: String,
        /// What is wrong.
        reason: String,
    },
    /// Two things of one name.
    #[error("two values are named '{0}'")]
    DuplicateName(String),
    /// An output that nothing was built for.
    #[error("output '{0}' was not built")]
    MissingOutput(String),
    /// An output that differs from its port.
    #[error("output '{port}' was built as {found}")]
    Output {
        /// The port.
        port: String,
        /// What was built.
        found: String,
    },
    /// A graph that is not what a [pass](crate::passes) requires.
    #[error("the pass {pass} can't take the graph: {reason}")]
    Requires {
        /// The pass.
        pass: &'static str,
        /// What is not as it should be.
        reason: String,
    },
    /// A graph that is not what a [pass](crate::passes) leaves.
    #[error("the pass {pass} did not do its work: {reason}")]
    Leaves {
        /// The pass.
        pass: &'static str,
        /// What is not as it should be.
        reason: String,
    },
}
