//! Weights of 8 bits in front of ordinary products: what the graph is made of, and what engines make of
//! it.

use std::collections::BTreeMap;

use nezha_graphs::proto::{NodeProto, TensorProto};
use nezha_graphs::{DType, GraphOptions, Precision, read_model};
use nezha_runtime::{EngineKind, EngineOptions, OpenVinoOptions, Session};
use testkit::compare::assert_close;
use testkit::engines::{artifact_in, session, tensors};
use testkit::fixtures::fixture;

#[test]
fn every_matrix_is_bytes_with_a_scale_for_each_output_widened_before_an_ordinary_product() {
    let fixture = fixture("reach-4/base");
    let graph = GraphOptions::default();
    let (_folder, path) = artifact_in(Precision::W8, &fixture.folder, fixture.head, &graph, 17);
    let graph = read_model(&path).unwrap().graph.unwrap();
    let weights: BTreeMap<&str, &TensorProto> = graph
        .initializer
        .iter()
        .map(|it| (it.name.as_str(), it))
        .collect();
    let of = |op_type: &str| -> Vec<&NodeProto> {
        let nodes = graph.node.iter();
        nodes.filter(|it| it.op_type == op_type).collect()
    };
    let widened = of("DequantizeLinear");
    // Six in each layer, and the pooler's.
    assert_eq!(widened.len(), 6 * 2 + 1);
    for node in &widened {
        let [elements, scales] = node.input.as_slice() else {
            panic!("{}: inputs {:?}", node.name, node.input);
        };
        let [elements, scales] = [elements, scales].map(|it| weights[it.as_str()]);
        assert_eq!(elements.data_type, DType::I8.onnx(), "{}", elements.name);
        assert_eq!(scales.dims, elements.dims[1..], "{}", scales.name);
        let axis = node.attribute.iter().find(|it| it.name == "axis");
        assert_eq!(axis.and_then(|it| it.i), Some(1), "{}", node.name);
        let readers = graph.node.iter();
        let readers: Vec<&str> = readers
            .filter(|it| it.input.contains(&node.output[0]))
            .map(|it| it.op_type.as_str())
            .collect();
        assert_eq!(readers, ["MatMul"], "{}", node.name);
    }
}

#[test]
fn openvino_rounds_activations_and_says_so_unless_it_is_told_not_to() {
    let fixture = fixture("reach-4/base");
    let graph = GraphOptions::default();
    let (_folder, path) = artifact_in(Precision::W8, &fixture.folder, fixture.head, &graph, 17);
    let rounding = session(&path, "openvino");
    let description = rounding.engine().description();
    assert!(
        description.ends_with("(CPU, f32, 8-bit activations in groups of 32)"),
        "{description}"
    );
    let options = OpenVinoOptions::default().group_size(0);
    let options = EngineOptions::default().openvino(options);
    let exact = Session::builder()
        .engine(EngineKind::OpenVinoCpu)
        .engine_options(options.clone())
        .load(&path)
        .unwrap();
    let description = exact.engine().description();
    assert!(description.ends_with("(CPU, f32)"), "{description}");
    let tract = session(&path, "tract");
    let plain = fixture.cases.iter().filter(|it| {
        let given = |name: &str| it.inputs.contains_key(name);
        given("input_ids") && !given("head_mask")
    });
    let plain: Vec<_> = plain.take(3).collect();
    assert_eq!(plain.len(), 3, "cases without options");
    for case in plain {
        let run = |session: &Session| session.run(tensors(&case.inputs)).unwrap();
        let (found, expected) = (run(&exact), run(&tract));
        for (name, expected) in expected.iter() {
            let expected = expected.array::<f32>().unwrap();
            let found = found.array::<f32>(name).unwrap();
            assert_close(&case.name, name, expected, found, 1e-5);
        }
    }
}
