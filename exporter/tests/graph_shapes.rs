//! What the graph knows of its values before it runs: dtypes and shapes, dynamic axes by name, what
//! folds to a constant, and what everything is called.

use nezha_exporter::graph::{Blocks, Builder, Content, Graph, GraphError, NoWeights, Scope, Value};
use nezha_exporter::passes::prepare;
use nezha_graphs::{DType, Dim, Port, Precision};

use DType::{Bool, F16, F32, I8, I32, I64, U8};

fn port(name: &str, (dtype, shape): (DType, &str)) -> Port {
    let dims = shape.split(',').map(str::trim).filter(|it| !it.is_empty());
    Port::new(name, dtype, &dims.map(Dim::parse).collect::<Vec<_>>(), "")
}

/// The graph of one output over inputs of these dtypes and shapes.
fn graph(
    inputs: &[(DType, &str)],
    output: (DType, &str),
    build: impl Fn(&Scope, &[Value]) -> Value,
) -> Result<Graph, GraphError> {
    let builder = Builder::new("a test", 17, &NoWeights);
    let inputs = inputs.iter().enumerate();
    let inputs: Vec<Value> = inputs
        .map(|(i, input)| builder.input(&port(&format!("input{i}"), *input)))
        .collect();
    let value = build(&builder.scope("place"), &inputs);
    builder.output(&port("output", output), Some(value));
    prepare(builder.finish()?, Precision::Fp32)
}

type Build = fn(&Scope, &[Value]) -> Value;

/// Inputs, the operation, and what it has to be inferred as.
type Case = (
    &'static str,
    &'static [(DType, &'static str)],
    Build,
    (DType, &'static str),
);

#[track_caller]
fn assert_inferred(cases: &[Case]) {
    for (name, inputs, build, expected) in cases {
        let built = graph(inputs, *expected, build);
        built.unwrap_or_else(|error| panic!("{name} of {inputs:?}: {error}"));
    }
}

#[test]
fn arithmetic_broadcasts_by_name_and_by_number() {
    assert_inferred(&[
        (
            "Add",
            &[(F32, "b,s"), (F32, "b,s")],
            |s, v| s.add(v[0], v[1]),
            (F32, "b,s"),
        ),
        (
            "Sub",
            &[(F32, "b,1,h"), (F32, "s,1")],
            |s, v| s.sub(v[0], v[1]),
            (F32, "b,s,h"),
        ),
        (
            "Mul",
            &[(F32, ""), (F32, "b,3")],
            |s, v| s.mul(v[0], v[1]),
            (F32, "b,3"),
        ),
        (
            "Div",
            &[(F16, "2,1"), (F16, "3")],
            |s, v| s.div(v[0], v[1]),
            (F16, "2,3"),
        ),
        (
            "Max",
            &[(F32, "b,1"), (F32, "1,s")],
            |s, v| s.max(v[0], v[1]),
            (F32, "b,s"),
        ),
        (
            "Equal",
            &[(I64, "b,s"), (I64, "")],
            |s, v| s.equal(v[0], v[1]),
            (Bool, "b,s"),
        ),
        (
            "Clip",
            &[(I64, "b,s"), (I64, ""), (I64, "")],
            |s, v| s.clip(v[0], v[1], v[2]),
            (I64, "b,s"),
        ),
    ]);
}

#[test]
fn functions_of_one_value_keep_its_dtype_and_shape() {
    let keep: [Build; 16] = [
        |s, v| s.abs(v[0]),
        |s, v| s.cos(v[0]),
        |s, v| s.sin(v[0]),
        |s, v| s.erf(v[0]),
        |s, v| s.exp(v[0]),
        |s, v| s.gelu(v[0], true),
        |s, v| s.log(v[0]),
        |s, v| s.log_softmax(v[0]),
        |s, v| s.neg(v[0]),
        |s, v| s.relu(v[0]),
        |s, v| s.sigmoid(v[0]),
        |s, v| s.softmax(v[0]),
        |s, v| s.sqrt(v[0]),
        |s, v| s.tanh(v[0]),
        |s, v| s.layer_normalization(v[0], v[1], v[1], 1e-5),
        |s, v| s.add(v[0], v[0]),
    ];
    for build in keep {
        assert_inferred(&[(
            "a function",
            &[(F32, "b,s,8"), (F32, "8")],
            build,
            (F32, "b,s,8"),
        )]);
    }
    assert_inferred(&[
        (
            "Cast",
            &[(I64, "b,s")],
            |s, v| s.cast(v[0], F32),
            (F32, "b,s"),
        ),
        (
            "ReduceMean",
            &[(F32, "b,s")],
            |s, v| s.mean_all(v[0]),
            (F32, ""),
        ),
        (
            "ReduceSum",
            &[(F32, "b,s")],
            |s, v| s.sum_all(v[0]),
            (F32, ""),
        ),
    ]);
}

#[test]
fn products_of_matrices_batch_over_leading_axes() {
    assert_inferred(&[
        (
            "MatMul",
            &[(F32, "b,a,s,d"), (F32, "b,a,d,k")],
            |s, v| s.matmul(v[0], v[1]),
            (F32, "b,a,s,k"),
        ),
        (
            "MatMul",
            &[(F32, "b,a,s,d"), (F32, "d,9")],
            |s, v| s.matmul(v[0], v[1]),
            (F32, "b,a,s,9"),
        ),
        (
            "Gemm",
            &[(F32, "n,4"), (F32, "5,4"), (F32, "5")],
            |s, v| s.gemm(v[0], v[1], v[2]),
            (F32, "n,5"),
        ),
    ]);
}

#[test]
fn products_of_bytes_and_what_makes_them_have_their_own_dtypes() {
    assert_inferred(&[
        (
            "QuantizeLinear",
            &[(F32, "b,s,8")],
            |s, v| s.quantize_linear(v[0], s.float(0.5), s.uint8(128)),
            (U8, "b,s,8"),
        ),
        (
            "DequantizeLinear",
            &[(I8, "8,6"), (F32, "6")],
            |s, v| s.dequantize_linear(v[0], v[1], 1),
            (F32, "8,6"),
        ),
        (
            "MatMulInteger",
            &[(U8, "b,s,8"), (I8, "8,6")],
            |s, v| s.matmul_integer(v[0], v[1], s.uint8(128)),
            (I32, "b,s,6"),
        ),
        (
            "MatMulNBits",
            &[(F32, "b,s,40"), (U8, "6,2,16"), (F32, "6,2")],
            |s, v| s.matmul_nbits(v[0], [v[1], v[2]], Blocks::Q4, [6, 40]),
            (F32, "b,s,6"),
        ),
        (
            "LayerNormalization",
            &[(F16, "b,s,8"), (F16, "8"), (F16, "8")],
            |s, v| s.layer_normalization(v[0], v[1], v[2], 1e-12),
            (F16, "b,s,8"),
        ),
    ]);
}

#[test]
fn elements_are_picked_along_an_axis() {
    assert_inferred(&[
        (
            "Gather",
            &[(F32, "9,h"), (I64, "b,s")],
            |s, v| s.gather(v[0], v[1], 0),
            (F32, "b,s,h"),
        ),
        (
            "Gather",
            &[(F32, "b,s,h"), (I64, "")],
            |s, v| s.gather(v[0], v[1], 1),
            (F32, "b,h"),
        ),
        (
            "GatherElements",
            &[(F32, "b,s,9"), (I32, "b,s,k")],
            |s, v| s.gather_elements(v[0], v[1], 2),
            (F32, "b,s,k"),
        ),
        (
            "GatherND",
            &[(F32, "b,s,h"), (I64, "n,2")],
            |s, v| s.gather_nd(v[0], v[1]),
            (F32, "n,h"),
        ),
        (
            "Slice",
            &[(F32, "b,9")],
            |s, v| s.slice(v[0], 1, 2, 6),
            (F32, "b,4"),
        ),
        (
            "TopK",
            &[(F32, "b,9")],
            |s, v| s.top_k(v[0], 3)[0],
            (F32, "b,3"),
        ),
        (
            "TopK",
            &[(F32, "b,9")],
            |s, v| s.top_k(v[0], 3)[1],
            (I64, "b,3"),
        ),
        (
            "ReduceSum",
            &[(F32, "b,s")],
            |s, v| s.reduce_sum(v[0], 1),
            (F32, "b,1"),
        ),
        (
            "ReduceMax",
            &[(F32, "b,s,h")],
            |s, v| s.reduce_max(v[0], 1),
            (F32, "b,h"),
        ),
        (
            "ReduceMax",
            &[(F32, "b,s,h")],
            |s, v| s.row_max(v[0]),
            (F32, "b,s,1"),
        ),
    ]);
}

#[test]
fn axes_are_split_merged_moved_and_named_sums() {
    assert_inferred(&[
        (
            "Reshape",
            &[(F32, "b,s,8")],
            |s, v| s.reshape(v[0], &[0, 0, 2, 4]),
            (F32, "b,s,2,4"),
        ),
        (
            "Reshape",
            &[(F32, "b,s,8")],
            |s, v| s.reshape(v[0], &[-1, 8]),
            (F32, "b*s,8"),
        ),
        (
            "Reshape",
            &[(F32, "b,s,2,4")],
            |s, v| s.reshape(v[0], &[0, 0, -1]),
            (F32, "b,s,8"),
        ),
        (
            "Reshape to the axes of another",
            &[(F32, "b*s,8"), (I64, "b,s")],
            |s, v| s.reshape_to(v[0], s.concat(0, &[s.shape(v[1], 0, 2), s.vector(&[8])])),
            (F32, "b,s,8"),
        ),
        (
            "Transpose",
            &[(F32, "b,s,2,4")],
            |s, v| s.transpose(v[0], &[0, 2, 1, 3]),
            (F32, "b,2,s,4"),
        ),
        (
            "Unsqueeze",
            &[(I64, "b,s")],
            |s, v| s.unsqueeze(v[0], &[1, 2]),
            (I64, "b,1,1,s"),
        ),
        (
            "Squeeze",
            &[(F32, "b,1,s,1")],
            |s, v| s.squeeze(v[0], &[1, 3]),
            (F32, "b,s"),
        ),
        (
            "Concat",
            &[(F32, "b,p,d"), (F32, "b,s,d")],
            |s, v| s.concat(1, &[v[0], v[1]]),
            (F32, "b,p + s,d"),
        ),
        (
            "Concat",
            &[(F32, "2,d"), (F32, "3,d")],
            |s, v| s.concat(0, &[v[0], v[1]]),
            (F32, "5,d"),
        ),
        (
            "Expand",
            &[(F32, "1,s"), (I64, "b,9")],
            |s, v| s.expand(v[0], s.concat(0, &[s.shape(v[1], 0, 1), s.vector(&[1])])),
            (F32, "b,s"),
        ),
        (
            "Range",
            &[(F32, "b,s")],
            |s, v| s.range(s.squeeze(s.shape(v[0], 1, 2), &[0])),
            (I64, "s"),
        ),
        (
            "Shape",
            &[(F32, "b,s,8")],
            |s, v| s.shape(v[0], 1, 3),
            (I64, "2"),
        ),
    ]);
}

#[test]
fn what_follows_from_numbers_alone_is_a_constant() {
    let elements = |build: Build, shape: &str| -> Vec<i64> {
        let graph = graph(&[(F32, "2,3")], (I64, shape), build).unwrap();
        // An output that is a constant goes through no node, or through an Identity.
        let names: Vec<&str> = graph.nodes.iter().map(|it| it.op.name()).collect();
        assert!(names.iter().all(|it| *it == "Identity"), "{names:?}");
        let [initializer] = graph.initializers.as_slice() else {
            panic!("{:?}", graph.initializers);
        };
        let Content::Inline(bytes) = &initializer.content else {
            panic!("{initializer:?}");
        };
        let numbers = bytes.as_chunks().0.iter();
        numbers.map(|it| i64::from_le_bytes(*it)).collect()
    };
    let cases: [(&str, Build, &str, &[i64]); 6] = [
        ("Shape", |s, v| s.shape(v[0], 0, 2), "2", &[2, 3]),
        (
            "Concat",
            |s, v| s.concat(0, &[s.vector(&[7]), s.shape(v[0], 1, 2)]),
            "2",
            &[7, 3],
        ),
        ("Range", |s, _| s.range(s.int64(4)), "4", &[0, 1, 2, 3]),
        (
            "Sub of a row and a column",
            |s, _| s.sub(s.vector(&[0, 1]), s.unsqueeze(s.vector(&[0, 1]), &[1])),
            "2,2",
            &[0, 1, -1, 0],
        ),
        (
            "Add",
            |s, _| s.add(s.vector(&[1, -2]), s.int64(5)),
            "2",
            &[6, 3],
        ),
        (
            "Clip",
            |s, _| s.clip(s.vector(&[-3, 0, 9]), s.int64(-1), s.int64(2)),
            "3",
            &[-1, 0, 2],
        ),
    ];
    for (name, build, shape, expected) in cases {
        assert_eq!(elements(build, shape), expected, "{name}");
    }
}

#[test]
fn equal_constants_are_one_value_and_others_are_not() {
    let builder = Builder::new("constants", 17, &NoWeights);
    let (a, b) = (builder.scope("a"), builder.scope("b"));
    assert_eq!(a.float(0.5), b.float(0.5));
    assert_eq!(a.vector(&[1, 2]), b.vector(&[1, 2]));
    assert_eq!(
        a.floats("table", &[1, 2], &[1.0, 2.0]),
        b.floats("other", &[1, 2], &[1.0, 2.0])
    );
    let different = [
        a.float(0.0),
        a.float(-0.0),
        a.int64(0),
        a.int32(0),
        a.vector(&[0]),
        a.int64(1),
        a.vector(&[0, 0]),
        a.floats("one row", &[1, 2], &[0.0, 1.0]),
        a.floats("one column", &[2, 1], &[0.0, 1.0]),
    ];
    for (i, first) in different.iter().enumerate() {
        for second in &different[..i] {
            assert_ne!(first, second, "constant {i} is one that was there");
        }
    }
}

#[test]
fn nodes_are_called_after_their_place_and_operator_and_numbered() {
    let built = graph(&[(F32, "b,8")], (F32, "b,8"), |s, v| {
        let layer = s.at("layer").at(0);
        let twice = layer.tanh(layer.tanh(v[0]));
        s.at("layer").at(1).tanh(twice)
    });
    let built = built.unwrap();
    let names: Vec<&str> = built.nodes.iter().map(|it| it.name.as_str()).collect();
    let expected = [
        "place.layer.0/Tanh",
        "place.layer.0/Tanh_1",
        "place.layer.1/Tanh",
    ];
    assert_eq!(names, expected);
    let made: Vec<&str> = built
        .nodes
        .iter()
        .map(|it| built.value_name(it.outputs[0]))
        .collect();
    assert_eq!(made, [expected[0], expected[1], "output"]);
}

#[test]
fn what_goes_along_a_sequence_keeps_its_length() {
    assert_inferred(&[
        (
            "LSTM",
            &[
                (F32, "s,b,3"),
                (F32, "1,8,3"),
                (F32, "1,8,2"),
                (F32, "1,16"),
                (F32, "1,b,2"),
            ],
            |s, v| s.lstm(v[0], [v[1], v[2], v[3]], v[4], 2),
            (F32, "s,1,b,2"),
        ),
        (
            "GRU",
            &[
                (F32, "s,b,3"),
                (F32, "1,6,3"),
                (F32, "1,6,2"),
                (F32, "1,12"),
                (F32, "1,b,2"),
            ],
            |s, v| s.gru(v[0], [v[1], v[2], v[3]], v[4], 2),
            (F32, "s,1,b,2"),
        ),
        (
            "Conv",
            &[(F32, "b,3,s"), (F32, "4,3,3"), (F32, "4")],
            |s, v| s.conv(v[0], v[1], Some(v[2]), 2, 2),
            (F32, "b,4,s"),
        ),
        (
            "Conv without bias",
            &[(F32, "b,3,s"), (F32, "4,3,1")],
            |s, v| s.conv(v[0], v[1], None, 0, 1),
            (F32, "b,4,s"),
        ),
    ]);
}

#[test]
fn weights_of_another_size_do_not_go_along_a_sequence() {
    let build: [(&[(DType, &str)], Build); 2] = [
        (
            &[
                (F32, "s,b,3"),
                (F32, "1,6,3"),
                (F32, "1,6,2"),
                (F32, "1,12"),
                (F32, "1,b,2"),
            ],
            |s, v| s.lstm(v[0], [v[1], v[2], v[3]], v[4], 2),
        ),
        (&[(F32, "b,3,s"), (F32, "4,3,3")], |s, v| {
            s.conv(v[0], v[1], None, 0, 1)
        }),
    ];
    for (inputs, build) in build {
        let error = graph(inputs, (F32, "b"), build).unwrap_err();
        assert!(matches!(error, GraphError::Operation { .. }), "{error}");
    }
}
