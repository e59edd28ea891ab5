//! What is done to a finished graph: graph in, graph out.
//!
//! The architecture is written once, in single precision and as if nothing were known but names of
//! axes. [`prepare`] makes of it what an artifact has, by one [`Pass`] after the other:
//!
//! 1. one for the precision, [`Half`], [`Stored`], [`Int8`], [`W8`] or [`InBlocks`]; none for single
//!    precision;
//! 2. [`Fold`]: operations on known numbers become constants;
//! 3. [`DropUnused`]: what no output needs is left out;
//! 4. [`NameOutputs`]: outputs get the names of their ports.
//!
//! In this order, since names are numbered in the order in which nodes were built, whether they stay or
//! not, and since the pass of a precision makes operations on sizes, too. Passes look at the graph and
//! know nothing of NEZHA; what a graph can't show by itself, such as the least value of an activation,
//! the equations state as facts about values ([`Scope::at_least`](crate::graph::Scope::at_least)).

mod blocks;
mod conditions;
mod encoded;
mod float16;
mod fold;
mod half;
mod int8;
mod matrix;
mod outputs;
mod rewrite;
mod stored;
#[cfg(test)]
mod testing;
mod unused;
mod w8;

use nezha_graphs::Precision;

pub use blocks::InBlocks;
pub use fold::Fold;
pub use half::Half;
pub use int8::Int8;
pub use outputs::NameOutputs;
pub use stored::Stored;
pub use unused::DropUnused;
pub use w8::W8;

use crate::graph::{Blocks, Graph, GraphError};

/// A step from one graph to another of the same inputs and outputs.
pub trait Pass {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Whether it can take `graph`; the reason where not.
    ///
    /// # Errors
    /// The reason, in words.
    fn requires(&self, graph: &Graph) -> Result<(), String>;

    /// The graph that it makes.
    ///
    /// # Errors
    /// A [`GraphError`] where it makes operations that don't hold together, by a fault of its own.
    fn run(&self, graph: Graph) -> Result<Graph, GraphError>;

    /// Whether `graph` is as this pass leaves one.
    ///
    /// # Errors
    /// The reason why not, in words.
    fn leaves(&self, graph: &Graph) -> Result<(), String>;
}

/// Runs a pass, and checks what it requires and what it leaves.
///
/// # Errors
/// [`GraphError::Requires`] and [`GraphError::Leaves`], and those of the pass.
pub fn apply(pass: &dyn Pass, graph: Graph) -> Result<Graph, GraphError> {
    let name = pass.name();
    let requires = |reason| GraphError::Requires { pass: name, reason };
    pass.requires(&graph).map_err(requires)?;
    let graph = pass.run(graph)?;
    let leaves = |reason| GraphError::Leaves { pass: name, reason };
    pass.leaves(&graph).map_err(leaves)?;
    Ok(graph)
}

/// What is written to an artifact of some precision, of a graph as [`Builder::finish`] gives it.
///
/// [`Builder::finish`]: crate::graph::Builder::finish
///
/// # Errors
/// Those of [`apply`].
pub fn prepare(graph: Graph, precision: Precision) -> Result<Graph, GraphError> {
    let of_precision: Option<&dyn Pass> = match precision {
        Precision::Fp32 => None,
        Precision::Fp16Storage => Some(&Stored),
        Precision::Fp16 => Some(&Half),
        Precision::Int8 => Some(&Int8),
        Precision::W8 => Some(&W8),
        Precision::Q8 => Some(&InBlocks(Blocks::Q8)),
        Precision::Q4 => Some(&InBlocks(Blocks::Q4)),
    };
    let all: [&dyn Pass; 3] = [&Fold, &DropUnused, &NameOutputs];
    let passes = of_precision.into_iter().chain(all);
    passes.fold(Ok(graph), |graph, pass| apply(pass, graph?))
}

#[cfg(test)]
mod tests {
    use nezha_graphs::DType;

    use super::*;
    use crate::passes::testing::{built, dense, initializers, input};

    fn small() -> Graph {
        built(|builder| {
            let ids = input(builder, "ids", DType::I64, "batch, 3");
            let s = builder.scope("words");
            let words = s.gather(s.weight("weight", &[32, 4]), ids, 0);
            s.relu(s.softmax(dense(builder, words)))
        })
    }

    #[test]
    fn every_precision_has_its_weights_and_the_same_inputs_and_outputs() {
        let before = small();
        for (precision, expected) in [(
            Precision::Fp32,
            ["words.weight", "dense.weight.T"].as_slice(),
        )] {
            let graph = prepare(before.clone(), precision).unwrap();
            assert_eq!(initializers(&graph), expected, "{precision}");
            let ports = |ports: &[(nezha_graphs::Port, crate::graph::Value)]| {
                ports
                    .iter()
                    .map(|(port, _)| port.clone())
                    .collect::<Vec<_>>()
            };
            assert_eq!(ports(&graph.inputs), ports(&before.inputs), "{precision}");
            assert_eq!(ports(&graph.outputs), ports(&before.outputs), "{precision}");
        }
    }
}
