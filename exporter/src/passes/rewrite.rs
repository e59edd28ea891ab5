//! The framework of passes that replace operations.

use std::collections::{HashMap, HashSet};

use nezha_graphs::DType;

use crate::graph::{
    Builder, Content, Definition, Facts, Graph, GraphError, Known, NoWeights, Node, Scope, Value,
};

/// The scope of nodes that a rule adds for an output.
const OUTPUTS: &str = "outputs";

/// A rule that replaces operations of a graph, one by one in the order in which they were built.
pub(super) trait Rule {
    /// The inputs of `node` from which its result is computed.
    fn reads<'n>(&self, node: &'n Node) -> &'n [Value] {
        &node.inputs
    }

    /// The result of `node` in its scope `s`. `inputs` are the inputs that it [reads](Self::reads),
    /// as values of the new graph. `None` keeps the operation.
    fn result(&mut self, s: &Scope, node: &Node, inputs: &[Value]) -> Option<Value>;

    /// Converts `value` of the new graph to an output of element type `dtype`.
    fn output(&mut self, _s: &Scope, value: Value, _dtype: DType) -> Value {
        value
    }
}

/// Builds `graph` again, with a rule.
///
/// Definitions keep their order, and nodes are numbered anew: the new graph is the one that
/// equations with the rule's operations would have built. Facts about a value hold for the value
/// that replaces it. The old graph is freed while the new one is built.
pub(super) fn rewrite(mut graph: Graph, rule: &mut dyn Rule) -> Result<Graph, GraphError> {
    let builder = Builder::new(&graph.name, graph.opset, &NoWeights);
    let late = made_late(&graph, rule);
    let mut renewal = Renewal {
        builder: &builder,
        facts: graph.facts().collect(),
        new: HashMap::new(),
        held: HashMap::new(),
    };
    let outputs = std::mem::take(&mut graph.outputs);
    for definition in graph.into_definitions() {
        match definition {
            Definition::Input(port, value) => {
                renewal.new.insert(value, builder.input(&port));
            }
            Definition::Initializer(it, known) => {
                renewal.held.insert(it.value, (it.content, known));
                if !late.contains(&it.value) {
                    renewal.value(it.value);
                }
            }
            Definition::Node(node) => renewal.node(&node, rule)?,
        }
    }
    let s = &builder.scope(OUTPUTS);
    for (port, value) in outputs {
        let value = renewal.value(value);
        let value = value.map(|it| rule.output(s, it, port.dtype));
        builder.output(&port, value);
    }
    builder.finish()
}

/// Constants whose first reader doesn't read them under the rule. Equations with the rule's
/// operations would create each of them for its next reader, so they are built there.
fn made_late(graph: &Graph, rule: &dyn Rule) -> HashSet<Value> {
    let mut seen = HashSet::new();
    let mut late = HashSet::new();
    for node in &graph.nodes {
        let read = rule.reads(node);
        let inputs = node.inputs.iter();
        for &value in inputs.filter(|it| graph.content(**it).is_some()) {
            if seen.insert(value) && !read.contains(&value) {
                late.insert(value);
            }
        }
    }
    late
}

/// A graph that is being rebuilt.
struct Renewal<'g> {
    builder: &'g Builder<'static>,
    /// Facts about old values.
    facts: HashMap<Value, Facts>,
    /// New values, by the old ones.
    new: HashMap<Value, Value>,
    /// Old initializers that were not built yet.
    held: HashMap<Value, (Content, Known)>,
}

impl Renewal<'_> {
    /// The value that replaces `old`; an initializer is built if it doesn't exist yet.
    fn value(&mut self, old: Value) -> Option<Value> {
        self.new.get(&old).copied().or_else(|| {
            let (content, known) = self.held.remove(&old)?;
            let made = initializer(self.builder, content, known)?;
            self.new.insert(old, made);
            Some(made)
        })
    }

    fn node(&mut self, node: &Node, rule: &mut dyn Rule) -> Result<(), GraphError> {
        let inputs = rule.reads(node).iter().map(|it| self.value(*it));
        let Some(inputs) = inputs.collect::<Option<Vec<Value>>>() else {
            return Err(GraphError::Operation {
                node: node.name.clone(),
                reason: "reads a value that comes later".to_owned(),
            });
        };
        let s = &self.builder.scope(node.place());
        let results = match rule.result(s, node, &inputs) {
            Some(result) => vec![result],
            None => s.results(node.op.clone(), &inputs),
        };
        for (old, made) in node.outputs.iter().zip(results) {
            if let Some(facts) = self.facts.get(old) {
                self.builder.state_facts(made, *facts);
            }
            self.new.insert(*old, made);
        }
        Ok(())
    }
}

fn initializer(builder: &Builder, content: Content, known: Known) -> Option<Value> {
    let Known {
        name, value_type, ..
    } = known;
    let shape = value_type.fixed_shape()?;
    Some(match content {
        Content::Inline(bytes) => {
            builder.constant(name, value_type.dtype, &shape, bytes, value_type.elements)
        }
        Content::Weight {
            name,
            layout,
            encoding,
        } => builder.weight(&name, layout, encoding, &shape),
    })
}

#[cfg(test)]
mod tests {
    use nezha_graphs::DType;

    use super::*;
    use crate::graph::Op;
    use crate::passes::testing::{built, dense, initializers, input, lines};

    /// Exponentials in place of tanh.
    struct Exponentials;

    impl Rule for Exponentials {
        fn result(&mut self, s: &Scope, node: &Node, inputs: &[Value]) -> Option<Value> {
            (node.op == Op::Tanh).then(|| s.exp(inputs[0]))
        }
    }

    fn small(function: fn(&Scope, Value) -> Value) -> Graph {
        built(|builder| {
            let x = input(builder, "x", DType::F32, "batch, 4");
            let s = builder.scope("place");
            // Unused, but built.
            function(&s, s.exp(x));
            let [values, _] = s.top_k(dense(builder, function(&s, x)), 2);
            s.mul(s.exp(values), s.float(0.5))
        })
    }

    #[test]
    fn the_new_graph_is_the_one_that_other_equations_would_have_built() {
        let [tanh, exp] = [small(|s, x| s.tanh(x)), small(|s, x| s.exp(x))];
        let renewed = rewrite(tanh, &mut Exponentials).unwrap();
        assert_eq!(lines(&renewed), lines(&exp));
        assert_eq!(initializers(&renewed), initializers(&exp));
    }

    #[test]
    fn what_equations_state_of_a_value_holds_for_what_takes_its_place() {
        let graph = built(|builder| {
            let x = input(builder, "x", DType::F32, "batch, 4");
            let y = builder.scope("place").tanh(x);
            builder.scope("place").at_least(y, -1.0);
            builder.share(y);
            y
        });
        let renewed = rewrite(graph, &mut Exponentials).unwrap();
        let (_, y) = renewed.outputs[0];
        assert_eq!(renewed.least(y), Some(-1.0));
        assert!(renewed.is_shared(y));
    }

    #[test]
    fn a_node_that_reads_what_comes_later_is_named() {
        let mut graph = small(|s, x| s.tanh(x));
        graph.nodes.swap(2, 3);
        let error = rewrite(graph, &mut Exponentials).unwrap_err();
        let expected = "dense/MatMul: reads a value that comes later";
        assert_eq!(error.to_string(), expected);
    }
}
