//! `--static`: graphs whose axes are numbers, end to end.

use ndarray::{Array, ArrayD, IxDyn};
use nezha_graphs::proto::{DimensionValue, GraphProto, ValueInfoProto};
use nezha_graphs::{
    Bindings, DType, Gather, GraphOptions, Head, OptionError, Signature, axes, read_model,
};
use nezha_runtime::{Session, Tensor, Tensors};
use testkit::compare::assert_close;
use testkit::engines::{ENGINES, artifact, session};
use testkit::fixtures::{fixture, fixtures};

/// Sizes of all axes that a head's graph has.
fn sizes(signature: &Signature) -> Bindings {
    let known = [
        (axes::BATCH, 2),
        (axes::SEQUENCE, 9),
        (axes::CHOICES, 3),
        (axes::ENCODER, 5),
        (axes::MASK_POSITIONS, 4),
    ];
    let dims = signature.inputs.iter().flat_map(|port| &port.shape);
    let names: Vec<&str> = dims.filter_map(|dim| dim.as_symbol()).collect();
    known
        .into_iter()
        .filter(|(axis, _)| names.contains(axis))
        .map(|(axis, size)| (axis.to_owned(), size))
        .collect()
}

/// Some inputs of a signature without dynamic axes.
fn inputs(signature: &Signature) -> Tensors {
    let tensors = signature.inputs.iter().map(|port| {
        let shape: Vec<usize> = port.shape.iter().map(|it| it.as_fixed().unwrap()).collect();
        let count = shape.iter().product::<usize>();
        let numbers = |f: &dyn Fn(usize) -> i64| -> ArrayD<i64> {
            Array::from_shape_vec(IxDyn(&shape), (0..count).map(f).collect()).unwrap()
        };
        let tensor: Tensor = match (port.name.as_str(), port.dtype) {
            (name, _) if name.ends_with("attention_mask") => {
                numbers(&|at| i64::from(at % 7 != 5)).into()
            }
            ("input_ids", _) => numbers(&|at| (at * 5 % 41) as i64).into(),
            (_, DType::I64) => numbers(&|at| (at % 2) as i64).into(),
            _ => numbers(&|at| (at % 11) as i64)
                .mapv(|it| it as f32 / 11.0)
                .into(),
        };
        (port.name.as_str(), tensor)
    });
    tensors.collect()
}

fn graph(session_of: &std::path::Path) -> GraphProto {
    read_model(session_of).unwrap().graph.unwrap()
}

/// Names of values that have an axis without a number, or no shape at all.
fn dynamic(values: &[ValueInfoProto]) -> Vec<&str> {
    let is_dynamic = |value: &&ValueInfoProto| {
        let tensor = value.r#type.as_ref().and_then(|it| it.tensor_type.as_ref());
        tensor.and_then(|it| it.shape.as_ref()).is_none_or(|shape| {
            let mut dims = shape.dim.iter();
            dims.any(|dim| !matches!(dim.value, Some(DimensionValue::DimValue(_))))
        })
    };
    let found = values.iter().filter(is_dynamic);
    found.map(|it| it.name.as_str()).collect()
}

/// The static graphs of the heads of some fixtures answer as the dynamic ones do.
fn check(chosen: &str, at_least: usize) {
    let mut heads = 0;
    for fixture in fixtures().iter().filter(|it| it.name.starts_with(chosen)) {
        heads += 1;
        let mut options = GraphOptions::default()
            .hidden_states(true)
            .attentions(true)
            .loss(fixture.head != Head::Base);
        let head = fixture.head;
        let (_dynamic_folder, dynamic_path) = artifact(&fixture.folder, head, &options, 17);
        let dynamic = ENGINES.map(|engine| engine.session(&dynamic_path));
        options.fixed_axes = sizes(dynamic[0].signature());
        for gather in Gather::ALL {
            options.gather = gather;
            let (_folder, path) = artifact(&fixture.folder, head, &options, 17);
            check_structure(&fixture.name, &graph(&path));
            for (engine, dynamic) in ENGINES.iter().zip(&dynamic) {
                let context = format!("{engine}, {gather}, {}", fixture.name);
                compare(
                    &context,
                    &engine.session(&path),
                    dynamic,
                    engine.tolerance(),
                );
            }
        }
    }
    assert!(heads >= at_least, "only {heads} fixtures of {chosen}");
}

#[test]
fn every_heads_static_graph_answers_as_the_dynamic_one_does() {
    check("reach-4/", 8);
}

#[test]
fn with_a_reach_of_0_static_graphs_answer_as_dynamic_ones_do() {
    check("reach-0/", 8);
}

#[test]
fn static_decoders_answer_as_dynamic_ones_do() {
    check("decoder-", 4);
}

fn check_structure(context: &str, graph: &GraphProto) {
    for (part, values) in [
        ("inputs", &graph.input),
        ("outputs", &graph.output),
        ("edges", &graph.value_info),
    ] {
        assert_eq!(
            dynamic(values),
            [""; 0],
            "{context}: {part} with dynamic axes"
        );
    }
    for node in &graph.node {
        let name = node.op_type.as_str();
        assert!(
            !["Shape", "Range"].contains(&name),
            "{context}: {}",
            node.name
        );
    }
}

fn compare(context: &str, fixed: &Session, dynamic: &Session, tolerance: f64) {
    let inputs = inputs(fixed.signature());
    let found = fixed.run(inputs.clone()).unwrap();
    let expected = dynamic.run(inputs).unwrap();
    let names = |outputs: &Tensors| -> Vec<String> {
        outputs.iter().map(|(name, _)| name.to_owned()).collect()
    };
    assert_eq!(names(&found), names(&expected), "{context}: outputs");
    for (name, expected) in expected.iter() {
        let expected = expected.array::<f32>().unwrap();
        let found = found.array::<f32>(name).unwrap();
        assert_close(context, name, expected, found, tolerance);
    }
}

#[test]
fn another_size_than_the_fixed_one_is_refused() {
    let fixture = fixture("reach-4/base");
    let options =
        GraphOptions::default().fixed_axes(Bindings::from([(axes::SEQUENCE.to_owned(), 6)]));
    let (_folder, path) = artifact(&fixture.folder, Head::Base, &options, 17);
    let session = session(&path, "tract");
    // The batch is as dynamic as ever.
    for batch in [1, 3] {
        let ids = ArrayD::<i64>::zeros(IxDyn(&[batch, 6]));
        session.run([("input_ids", ids.into())]).unwrap();
    }
    let ids = ArrayD::<i64>::zeros(IxDyn(&[1, 7]));
    let error = session.run([("input_ids", ids.into())]).unwrap_err();
    let expected = "axis 1 of input 'input_ids' is 7, expected 6";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn axes_that_the_graph_does_not_have_are_refused_by_name() {
    let config = nezha_graphs::Config::from_json("{\"is_decoder\": true}").unwrap();
    let check = |axis: &str, size: usize, kv_cache: bool| {
        let options = GraphOptions::default()
            .fixed_axes(Bindings::from([(axis.to_owned(), size)]))
            .kv_cache(kv_cache);
        options.check(&config, Head::Base).unwrap_err()
    };
    let error = check("num_choices", 2, false).to_string();
    assert!(error.contains("'num_choices'"), "{error}");
    assert!(error.contains("batch_size, sequence_length"), "{error}");
    let axis = axes::BATCH.to_owned();
    assert_eq!(
        check(axes::BATCH, 0, false),
        OptionError::EmptyAxis { axis }
    );
    let error = check(axes::BATCH, 1, true).to_string();
    assert!(error.contains("'kv_cache'"), "{error}");
}
