//! Passes over a finished graph: each takes a graph and returns a graph.
//!
//! The architecture is written once, in single precision and without knowledge of sizes.
//! [`prepare`] turns it into the graph of an artifact, by one [`Pass`] after the other:
//!
//! 1. the pass of the precision, [`Half`], [`Stored`], [`Int8`], [`W8`] or [`InBlocks`]; none for
//!    single precision;
//! 2. [`Fold`]: operations on known numbers become constants;
//! 3. [`DropUnused`]: removes what no output needs;
//! 4. [`NameOutputs`]: gives outputs the names of their ports.
//!
//! The order matters: names are numbered in the order in which nodes were built, including removed
//! nodes, and a precision's pass adds operations on sizes too. Passes look only at the graph and
//! know nothing about NEZHA. Facts that a graph can't show by itself, such as the minimum of an
//! activation, are stated by the equations ([`Scope::at_least`](crate::graph::Scope::at_least)).

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

/// A transformation of a graph that keeps its inputs and outputs.
pub trait Pass {
    /// The name of the pass.
    fn name(&self) -> &'static str;

    /// Checks the precondition on `graph`.
    ///
    /// # Errors
    /// Why the pass can't take the graph, in words.
    fn requires(&self, graph: &Graph) -> Result<(), String>;

    /// Transforms the graph.
    ///
    /// # Errors
    /// A [`GraphError`] if the new graph is not valid, by a fault of the pass.
    fn run(&self, graph: Graph) -> Result<Graph, GraphError>;

    /// Checks the postcondition on `graph`.
    ///
    /// # Errors
    /// Why the graph doesn't meet it, in words.
    fn leaves(&self, graph: &Graph) -> Result<(), String>;
}

/// Runs a pass, and checks its precondition and its postcondition.
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

/// Turns a graph from [`Builder::finish`] into that of an artifact in this precision.
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
    let mut passes = of_precision.into_iter().chain(all);
    passes.try_fold(graph, |graph, pass| apply(pass, graph))
}

#[cfg(test)]
mod tests {
    use nezha_graphs::{DType, Port};

    use super::*;
    use crate::graph::{Content, Value};
    use crate::passes::testing::{built, dense, input};

    fn small() -> Graph {
        built(|builder| {
            let ids = input(builder, "ids", DType::I64, "batch, 3");
            let s = builder.scope("words");
            let words = s.gather(s.weight("weight", &[32, 4]), ids, 0);
            s.relu(s.softmax(dense(builder, words)))
        })
    }

    /// The weights of a graph by name.
    fn weights(graph: &Graph) -> Vec<&str> {
        let weights = graph.initializers.iter().filter_map(|it| match it.content {
            Content::Weight { .. } => Some(graph.value_name(it.value)),
            Content::Inline(_) => None,
        });
        weights.collect()
    }

    #[test]
    fn every_precision_has_weights_of_its_own_and_the_same_inputs_and_outputs() {
        let single = ["words.weight", "dense.weight.T"];
        let half = ["words.weight.float16", "dense.weight.T.float16"];
        let bytes = [
            "words.weight.int8",
            "words.weight.scales",
            "dense.weight.T.int8",
            "dense.weight.scales",
        ];
        let blocks = |blocks| {
            [
                "words.weight.q8".to_owned(),
                "words.weight.q8.scales".to_owned(),
                format!("dense.weight.{blocks}"),
                format!("dense.weight.{blocks}.scales"),
            ]
        };
        let (before, [q8, q4]) = (small(), ["q8", "q4"].map(blocks));
        for precision in Precision::ALL {
            let graph = prepare(before.clone(), precision).unwrap();
            match precision {
                Precision::Fp32 => assert_eq!(weights(&graph), single),
                Precision::Fp16 | Precision::Fp16Storage => assert_eq!(weights(&graph), half),
                Precision::Int8 | Precision::W8 => assert_eq!(weights(&graph), bytes),
                Precision::Q8 => assert_eq!(weights(&graph), q8),
                Precision::Q4 => assert_eq!(weights(&graph), q4),
            }
            let ports = |ports: &[(Port, Value)]| -> Vec<String> {
                ports.iter().map(|(port, _)| port.to_string()).collect()
            };
            assert_eq!(ports(&graph.inputs), ports(&before.inputs), "{precision}");
            assert_eq!(ports(&graph.outputs), ports(&before.outputs), "{precision}");
        }
    }
}
