use super::weight::WeightError;

/// A graph that is not valid, because weights are missing or by a fault of the code that built it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphError {
    /// Weights that are missing or have other shapes, each once, in the order in which they were
    /// first read; never empty.
    #[error("{} weights can't be read", .0.len())]
    Weights(Vec<WeightError>),
    /// An operation got inputs that it can't have.
    #[error("{node}: {reason}")]
    Operation {
        /// The node.
        node: String,
        /// The reason.
        reason: String,
    },
    /// Two values have the same name.
    #[error("two values are named '{0}'")]
    DuplicateName(String),
    /// Nothing was built for an output.
    #[error("output '{0}' was not built")]
    MissingOutput(String),
    /// An output differs from its port.
    #[error("output '{port}' was built as {found}")]
    Output {
        /// The port.
        port: String,
        /// The dtype and shape that was built.
        found: String,
    },
    /// The graph doesn't meet the precondition of a [pass](crate::passes).
    #[error("the pass {pass} can't take the graph: {reason}")]
    Requires {
        /// The pass.
        pass: &'static str,
        /// The reason.
        reason: String,
    },
    /// The graph doesn't meet the postcondition of a [pass](crate::passes).
    #[error("the pass {pass} did not do its work: {reason}")]
    Leaves {
        /// The pass.
        pass: &'static str,
        /// The reason.
        reason: String,
    },
}
