//! Every graph is well-formed: typed edges, unique names, nothing idle, standard operators only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::inspect::read_model;
use nezha_exporter::{ExportOptions, OPSETS, export};
use nezha_graphs::proto::{GraphProto, ModelProto, ValueInfoProto};
use nezha_graphs::{DType, Gather, GraphOptions, TensorType};
use testkit::fixtures::fixtures;

/// Calls `check` with every fixture's graph, for the lowest and the highest opset, with and without
/// all outputs, in both forms.
fn for_every_graph(check: impl Fn(&str, &ModelProto, &GraphProto)) {
    static MODELS: OnceLock<Vec<(String, ModelProto)>> = OnceLock::new();
    for (context, model) in MODELS.get_or_init(models) {
        check(context, model, model.graph.as_ref().unwrap());
    }
}

fn models() -> Vec<(String, ModelProto)> {
    let folder = tempfile::tempdir().unwrap();
    let mut models = Vec::new();
    for fixture in fixtures() {
        let checkpoint = Checkpoint::open(&fixture.folder, &OpenOptions::default())
            .unwrap_or_else(|error| panic!("{}: {error}", fixture.name));
        for opset in [*OPSETS.start(), *OPSETS.end()] {
            for (all, gather) in [
                (false, Gather::Elements),
                (true, Gather::Elements),
                (true, Gather::Flat),
            ] {
                let options = ExportOptions::default()
                    .graph(
                        GraphOptions::default()
                            .hidden_states(all)
                            .attentions(all)
                            .gather(gather),
                    )
                    .opset(opset)
                    .force(true);
                let context = format!(
                    "{}, opset {opset}, all outputs {all}, {gather}",
                    fixture.name
                );
                export(&checkpoint, folder.path(), &options)
                    .unwrap_or_else(|error| panic!("{context}: {error}"));
                models.push((context, read_model(folder.path()).unwrap()));
            }
        }
    }
    models
}

#[test]
fn every_edge_has_an_element_type_and_a_shape() {
    for_every_graph(|context, _, graph| {
        let declared: BTreeMap<&str, &ValueInfoProto> = graph
            .value_info
            .iter()
            .chain(&graph.input)
            .chain(&graph.output)
            .map(|value| (value.name.as_str(), value))
            .collect();
        for node in &graph.node {
            for output in &node.output {
                let value = declared
                    .get(output.as_str())
                    .unwrap_or_else(|| panic!("{context}: '{output}' is not declared"));
                let tensor = value.r#type.as_ref().and_then(|it| it.tensor_type.as_ref());
                let dtype = tensor.and_then(|it| DType::from_onnx(it.elem_type));
                let shape = TensorType::of_value(value).and_then(|it| it.shape);
                assert!(dtype.is_some(), "{context}: '{output}' has no element type");
                let shape = shape.unwrap_or_else(|| panic!("{context}: '{output}' has no shape"));
                assert!(
                    !shape.iter().any(|dim| dim == "?"),
                    "{context}: '{output}' has an axis without size or name: {shape:?}"
                );
            }
        }
        assert_eq!(
            declared.len(),
            graph.value_info.len() + graph.input.len() + graph.output.len(),
            "{context}: a value is declared twice"
        );
        let made = graph.node.iter().map(|it| it.output.len()).sum::<usize>();
        assert_eq!(
            declared.len() - graph.input.len(),
            made,
            "{context}: values declared beside the inputs, and values made"
        );
    });
}

#[test]
fn every_input_and_output_says_what_it_is() {
    for_every_graph(|context, _, graph| {
        for value in graph.input.iter().chain(&graph.output) {
            assert!(!value.doc_string.is_empty(), "{context}: '{}'", value.name);
        }
    });
}

#[test]
fn every_name_is_used_once_and_begins_with_its_module() {
    for_every_graph(|context, _, graph| {
        let mut nodes = BTreeSet::new();
        for node in &graph.node {
            assert!(
                nodes.insert(&node.name),
                "{context}: two nodes '{}'",
                node.name
            );
            let (module, operator) = node
                .name
                .rsplit_once('/')
                .unwrap_or_else(|| panic!("{context}: '{}' has no module", node.name));
            assert!(
                !module.is_empty() && operator.starts_with(&node.op_type),
                "{context}: '{}' is not module/{}",
                node.name,
                node.op_type
            );
        }
        let made = graph.node.iter().flat_map(|it| &it.output);
        let given = graph.input.iter().map(|it| &it.name);
        let held = graph.initializer.iter().map(|it| &it.name);
        let mut values = BTreeSet::new();
        for value in made.chain(given).chain(held) {
            assert!(values.insert(value), "{context}: two values '{value}'");
        }
    });
}

#[test]
fn nodes_come_after_what_they_read_and_nothing_is_idle() {
    for_every_graph(|context, _, graph| {
        let mut there: BTreeSet<&str> = graph
            .initializer
            .iter()
            .map(|it| it.name.as_str())
            .collect();
        there.extend(graph.input.iter().map(|it| it.name.as_str()));
        let mut read: BTreeSet<&str> = graph.output.iter().map(|it| it.name.as_str()).collect();
        for node in &graph.node {
            for input in node.input.iter().filter(|it| !it.is_empty()) {
                assert!(
                    there.contains(input.as_str()),
                    "{context}: '{}' reads '{input}', which is not there yet",
                    node.name
                );
                read.insert(input);
            }
            there.extend(node.output.iter().map(String::as_str));
        }
        let idle: Vec<&&str> = there.difference(&read).collect();
        assert!(idle.is_empty(), "{context}: nothing reads {idle:?}");
    });
}

#[test]
fn operators_are_standard_and_attributes_are_typed() {
    for_every_graph(|context, model, graph| {
        let domains: Vec<Option<&str>> = model
            .opset_import
            .iter()
            .map(|it| it.domain.as_deref())
            .collect();
        assert_eq!(domains, [Some("")], "{context}: operator sets");
        for node in &graph.node {
            assert_eq!(node.domain, "", "{context}: domain of '{}'", node.name);
            for attribute in &node.attribute {
                // Readers of proto2 take an attribute without its field for one without a value.
                let has_value = match attribute.r#type {
                    1 => attribute.f.is_some(),
                    2 => attribute.i.is_some(),
                    3 => attribute.s.is_some(),
                    7 => !attribute.ints.is_empty(),
                    _ => false,
                };
                assert!(
                    has_value,
                    "{context}: attribute '{}' of '{}', of type {}, has no value",
                    attribute.name, node.name, attribute.r#type
                );
            }
        }
    });
}

#[test]
fn what_a_product_reads_is_a_constant_or_depends_on_an_input() {
    for_every_graph(|context, _, graph| {
        let held: BTreeSet<&str> = graph
            .initializer
            .iter()
            .map(|it| it.name.as_str())
            .collect();
        // Results of nodes that read constants alone.
        let mut computed: BTreeSet<&str> = BTreeSet::new();
        for node in &graph.node {
            let mut inputs = node.input.iter().map(String::as_str);
            if node.op_type == "MatMul" {
                let read = node.input.iter().find(|it| computed.contains(it.as_str()));
                assert_eq!(
                    read, None,
                    "{context}: '{}' reads what follows from constants",
                    node.name
                );
            }
            if inputs.all(|it| held.contains(it) || computed.contains(it)) {
                computed.extend(node.output.iter().map(String::as_str));
            }
        }
    });
}

#[test]
fn an_output_is_read_by_no_node_unless_its_copy_would_take_time() {
    for_every_graph(|context, _, graph| {
        let read: BTreeSet<&str> = graph
            .node
            .iter()
            .flat_map(|it| it.input.iter().map(String::as_str))
            .collect();
        for output in &graph.output {
            let name = output.name.as_str();
            // These grow with the square of the sequence.
            let is_large = name.starts_with("attentions.") || name.starts_with("cross_attentions.");
            assert!(
                is_large || !read.contains(name),
                "{context}: '{name}' is an output, and a node reads it"
            );
        }
    });
}
