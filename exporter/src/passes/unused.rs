use std::collections::BTreeSet;

use super::Pass;
use super::conditions::every;
use crate::graph::{Graph, GraphError, Value};

/// Removes nodes and initializers that no output needs; inputs are kept.
///
/// Precondition: none. Postcondition: every node and every initializer is used by an output.
#[derive(Clone, Copy, Debug)]
pub struct DropUnused;

impl Pass for DropUnused {
    fn name(&self) -> &'static str {
        "drop-unused"
    }

    fn requires(&self, _graph: &Graph) -> Result<(), String> {
        Ok(())
    }

    fn run(&self, mut graph: Graph) -> Result<Graph, GraphError> {
        let needed = needed(&graph);
        let is_needed = |value: &Value| needed.contains(value);
        graph.retain(
            |node| node.outputs.iter().any(is_needed),
            |initializer| is_needed(&initializer.value),
        );
        Ok(graph)
    }

    fn leaves(&self, graph: &Graph) -> Result<(), String> {
        is_all_used(graph)
    }
}

/// Checks that every node and every initializer is used by an output.
pub(super) fn is_all_used(graph: &Graph) -> Result<(), String> {
    let needed = needed(graph);
    every(graph, |node| {
        let is_needed = node.outputs.iter().any(|it| needed.contains(it));
        (!is_needed).then(|| "is read by nobody".to_owned())
    })?;
    let mut held = graph.initializers.iter().map(|it| it.value);
    match held.find(|it| !needed.contains(it)) {
        Some(value) => Err(format!("'{}' is read by nobody", graph.value_name(value))),
        None => Ok(()),
    }
}

/// The outputs, and the values from which they follow.
fn needed(graph: &Graph) -> BTreeSet<Value> {
    let mut needed: BTreeSet<Value> = graph.outputs.iter().map(|(_, value)| *value).collect();
    for node in graph.nodes.iter().rev() {
        if node.outputs.iter().any(|output| needed.contains(output)) {
            needed.extend(&node.inputs);
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use nezha_graphs::DType;

    use super::*;
    use crate::passes::apply;
    use crate::passes::testing::{after, built, initializers, input};

    fn with_more_than_is_needed() -> Graph {
        built(|builder| {
            let x = input(builder, "x", DType::F32, "batch, 8");
            let y = input(builder, "y", DType::F32, "batch, 8");
            let s = builder.scope("place");
            s.mul(s.exp(y), s.float(3.0));
            s.mul(s.relu(x), s.float(2.0))
        })
    }

    #[test]
    fn what_no_output_needs_is_left_out_and_inputs_stay() {
        let graph = apply(&DropUnused, with_more_than_is_needed()).unwrap();
        assert_eq!(initializers(&graph), ["constants/float_2.0"]);
        let inputs: Vec<&str> = graph
            .inputs
            .iter()
            .map(|(it, _)| it.name.as_str())
            .collect();
        assert_eq!(inputs, ["x", "y"]);
        assert_eq!(
            after(&DropUnused, graph),
            [
                "place/Relu: float32[batch, 8] = Relu(x)",
                "place/Mul_1: float32[batch, 8] = Mul(place/Relu, constants/float_2.0)"
            ]
        );
    }

    #[test]
    fn a_node_with_one_result_that_is_read_stays_whole() {
        let graph = built(|builder| {
            let x = input(builder, "x", DType::F32, "batch, 8");
            let [_, indices] = builder.scope("place").top_k(x, 2);
            indices
        });
        assert_eq!(
            after(&DropUnused, graph),
            [
                "place/TopK: float32[batch, 2], place/TopK/indices: int64[batch, 2] = TopK(x, constants/int64s_2)"
            ]
        );
    }

    #[test]
    fn what_nobody_reads_is_told() {
        let graph = with_more_than_is_needed();
        assert_eq!(
            DropUnused.leaves(&graph),
            Err("place/Exp is read by nobody".to_owned())
        );
    }
}
