use std::collections::BTreeSet;

use super::Pass;
use super::unused::is_all_used;
use crate::graph::{Graph, GraphError, Op, Value};

/// The scope of the copies for outputs.
const PLACE: &str = "outputs";

/// Gives each output the name of its port.
///
/// An output goes through an Identity if nodes read it, or if it is an input, a constant or another
/// output too: a tool that converts an output to another type doesn't expect that nodes read it. A
/// [shared](crate::graph::Builder::share) output may be read.
///
/// Precondition: a graph in which everything is used, since a copy is made for each reader.
/// Postcondition: outputs have their ports' names, and no name is repeated.
#[derive(Clone, Copy, Debug)]
pub struct NameOutputs;

impl Pass for NameOutputs {
    fn name(&self) -> &'static str {
        "name-outputs"
    }

    fn requires(&self, graph: &Graph) -> Result<(), String> {
        is_all_used(graph)
    }

    fn run(&self, mut graph: Graph) -> Result<Graph, GraphError> {
        let given = graph.inputs.iter().map(|(_, value)| *value);
        let held = graph.initializers.iter().map(|it| it.value);
        let read = graph.nodes.iter().flat_map(|it| &it.inputs).copied();
        let read = read.filter(|it| !graph.is_shared(*it));
        let mut taken: BTreeSet<Value> = given.chain(held).chain(read).collect();
        let mut copies = 0;
        for (port, value) in std::mem::take(&mut graph.outputs) {
            let own = match taken.insert(value) {
                true => value,
                false => {
                    copies += 1;
                    graph.add_copy(name_of_copy(copies), value)
                }
            };
            graph.rename(own, &port.name);
            graph.outputs.push((port, own));
        }
        match name_twice(&graph) {
            Some(name) => Err(GraphError::DuplicateName(name)),
            None => Ok(graph),
        }
    }

    fn leaves(&self, graph: &Graph) -> Result<(), String> {
        let mut outputs = graph.outputs.iter();
        let other = outputs.find(|(port, value)| graph.value_name(*value) != port.name);
        match other {
            Some((port, value)) => {
                let found = graph.value_name(*value);
                Err(format!("output '{}' is called '{found}'", port.name))
            }
            None => Ok(()),
        }
    }
}

fn name_of_copy(number: usize) -> String {
    let name = format!("{PLACE}/{}", Op::Identity.name());
    match number {
        1 => name,
        _ => format!("{name}_{}", number - 1),
    }
}

/// A name that two values have.
fn name_twice(graph: &Graph) -> Option<String> {
    let mut seen = BTreeSet::new();
    let twice = graph.names().find(|name| !seen.insert(*name));
    twice.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use nezha_graphs::{DType, Dim, Port};

    use super::*;
    use crate::graph::{Builder, NoWeights};
    use crate::passes::apply;
    use crate::passes::testing::{input, lines};

    fn port(name: &str) -> Port {
        Port::new(name, DType::F32, &[Dim::symbol("batch")], "")
    }

    /// A graph whose outputs are those of `build` by name.
    fn with_outputs(build: impl FnOnce(&Builder) -> Vec<(&'static str, Value)>) -> Graph {
        let builder = Builder::new("small", 17, &NoWeights);
        for (name, value) in build(&builder) {
            builder.output(&port(name), Some(value));
        }
        builder.finish().unwrap()
    }

    #[test]
    fn what_is_given_taken_or_read_already_is_copied() {
        let graph = with_outputs(|builder| {
            let x = input(builder, "x", DType::F32, "batch");
            let s = builder.scope("place");
            let read = s.tanh(x);
            let once = s.exp(read);
            vec![
                ("input", x),
                ("read", read),
                ("once", once),
                ("twice", once),
            ]
        });
        assert_eq!(
            lines(&apply(&NameOutputs, graph).unwrap()),
            [
                "place/Tanh: float32[batch] = Tanh(x)",
                "once: float32[batch] = Exp(place/Tanh)",
                "input: float32[batch] = Identity(x)",
                "read: float32[batch] = Identity(place/Tanh)",
                "twice: float32[batch] = Identity(once)"
            ]
        );
    }

    #[test]
    fn a_shared_value_is_read_and_no_copy() {
        let graph = with_outputs(|builder| {
            let s = builder.scope("place");
            let read = s.tanh(input(builder, "x", DType::F32, "batch"));
            builder.share(read);
            vec![("read", read), ("y", s.exp(read))]
        });
        assert_eq!(
            lines(&apply(&NameOutputs, graph).unwrap()),
            [
                "read: float32[batch] = Tanh(x)",
                "y: float32[batch] = Exp(read)"
            ]
        );
    }

    #[test]
    fn a_name_of_two_values_is_refused() {
        let graph = with_outputs(|builder| {
            let x = input(builder, "x", DType::F32, "batch");
            vec![("x", builder.scope("place").tanh(x))]
        });
        let twice = GraphError::DuplicateName("x".to_owned());
        assert_eq!(apply(&NameOutputs, graph).unwrap_err(), twice);
    }

    #[test]
    fn a_graph_with_something_unused_is_refused() {
        let graph = with_outputs(|builder| {
            let x = input(builder, "x", DType::F32, "batch");
            let s = builder.scope("place");
            s.exp(x);
            vec![("y", s.tanh(x))]
        });
        let error = apply(&NameOutputs, graph).unwrap_err();
        let expected = GraphError::Requires {
            pass: "name-outputs",
            reason: "place/Exp is read by nobody".to_owned(),
        };
        assert_eq!(error, expected);
    }

    #[test]
    fn an_output_of_another_name_is_told() {
        let graph = with_outputs(|builder| {
            let x = input(builder, "x", DType::F32, "batch");
            vec![("y", builder.scope("place").tanh(x))]
        });
        let left = NameOutputs.leaves(&graph);
        assert_eq!(left, Err("output 'y' is called 'place/Tanh'".to_owned()));
    }
}
