//! Graphs that don't hold together: building goes on to the end, and `finish` gives the first fault
//! as a typed error that names the node; passes name what they can't take and what they did not do.
//! Nothing panics.

use nezha_exporter::graph::{
    Blocks, Builder, Graph, GraphError, NoWeights, Scope, Value, WeightError, Weights,
};
use nezha_exporter::passes::{Pass, Stored, apply, prepare};
use nezha_graphs::{DType, Dim, Port, Precision};

/// The inputs of every graph here, by the sizes in their names.
struct Inputs {
    scalar: Value,
    vector3: Value,
    matrix2x3: Value,
    indices2x3: Value,
    indices3: Value,
    bytes2x3: Value,
}

fn port(name: &str, dtype: DType, sizes: &[usize]) -> Port {
    let dims: Vec<Dim> = sizes.iter().copied().map(Dim::from).collect();
    Port::new(name, dtype, &dims, "an input")
}

/// What `finish` says of a graph whose output is what `build` makes.
fn fault(build: impl Fn(&Scope, &Inputs) -> Value) -> GraphError {
    let builder = Builder::new("faulty", 17, &NoWeights);
    let input = |name, dtype, sizes: &[usize]| builder.input(&port(name, dtype, sizes));
    let inputs = Inputs {
        scalar: input("scalar", DType::F32, &[]),
        vector3: input("vector3", DType::F32, &[3]),
        matrix2x3: input("matrix2x3", DType::F32, &[2, 3]),
        indices2x3: input("indices2x3", DType::I64, &[2, 3]),
        indices3: input("indices3", DType::I64, &[3]),
        bytes2x3: input("bytes2x3", DType::U8, &[2, 3]),
    };
    let value = build(&builder.scope("place"), &inputs);
    builder.output(&port("y", DType::F32, &[]), Some(value));
    builder.finish().unwrap_err()
}

type Build = fn(&Scope, &Inputs) -> Value;

#[track_caller]
fn assert_refused(cases: &[(&str, &str, Build)]) {
    for (operator, reason, build) in cases {
        let expected = GraphError::Operation {
            node: format!("place/{operator}"),
            reason: (*reason).to_owned(),
        };
        assert_eq!(fault(build), expected);
    }
}

#[test]
fn what_moves_elements_names_its_node_and_the_reason_where_it_can_not() {
    assert_refused(&[
        ("Concat", "no inputs", |s, _| s.concat(0, &[])),
        ("Concat", "ranks of [2, 3] and [3] differ", |s, it| {
            s.concat(0, &[it.matrix2x3, it.vector3])
        }),
        ("Concat", "ranks of [3] and [2, 3] differ", |s, it| {
            s.concat(0, &[it.vector3, it.matrix2x3])
        }),
        ("Concat", "axis 2 of [2, 3]", |s, it| {
            s.concat(2, &[it.matrix2x3, it.matrix2x3])
        }),
        ("Concat", "axis 0 of []", |s, it| s.concat(0, &[it.scalar])),
        ("Concat", "float32 with int64", |s, it| {
            s.concat(0, &[it.matrix2x3, it.indices2x3])
        }),
        (
            "GatherElements",
            "ranks of [2, 3] and [3] differ",
            |s, it| s.gather_elements(it.matrix2x3, it.indices3, 0),
        ),
        ("GatherElements", "axis 2 of [2, 3]", |s, it| {
            s.gather_elements(it.matrix2x3, it.indices2x3, 2)
        }),
        ("Gather", "axis 1 of [3]", |s, it| {
            s.gather(it.vector3, it.indices3, 1)
        }),
        ("Squeeze", "axis 2 of [2, 3]", |s, it| {
            s.squeeze(it.matrix2x3, &[2])
        }),
        ("Squeeze", "axis -1 of [2, 3]", |s, it| {
            s.squeeze(it.matrix2x3, &[-1])
        }),
        ("Unsqueeze", "axis 0 twice", |s, it| {
            s.unsqueeze(it.vector3, &[0, 0])
        }),
        ("Slice", "axis 2 of rank 2", |s, it| {
            s.slice(it.matrix2x3, 2, 0, 1)
        }),
        ("ReduceMax", "axis 0 of rank 0", |s, it| {
            s.row_max(it.scalar)
        }),
        ("ReduceSum", "axis 1 of rank 1", |s, it| {
            s.reduce_sum(it.vector3, 1)
        }),
        ("Reshape", "[2, 3] as [4, 2]", |s, it| {
            s.reshape(it.matrix2x3, &[4, 2])
        }),
        ("Reshape", "two axes take what is left", |s, it| {
            s.reshape(it.matrix2x3, &[-1, -1])
        }),
        ("Reshape", "keeps an axis it lacks", |s, it| {
            s.reshape(it.vector3, &[3, 0])
        }),
        ("Reshape", "a negative size", |s, it| {
            s.reshape(it.vector3, &[-2])
        }),
        (
            "Reshape",
            "depends on elements that are not known",
            |s, it| s.reshape_to(it.vector3, it.indices3),
        ),
        ("Expand", "[3] does not broadcast with [4]", |s, it| {
            s.expand(it.vector3, s.vector(&[4]))
        }),
        ("Gather", "indices are float32", |s, it| {
            s.gather(it.vector3, it.vector3, 0)
        }),
        ("GatherElements", "axis 0 is 2 and 1", |s, it| {
            s.gather_elements(it.matrix2x3, s.unsqueeze(it.indices3, &[0]), 1)
        }),
        ("GatherND", "[2, 3] at [3]", |s, it| {
            s.gather_nd(it.matrix2x3, it.indices3)
        }),
        ("Slice", "1..4 of 3", |s, it| s.slice(it.vector3, 0, 1, 4)),
        ("Squeeze", "axis 1 of [2, 3] is not 1", |s, it| {
            s.squeeze(it.matrix2x3, &[1])
        }),
        ("Unsqueeze", "axis 3 of [3]", |s, it| {
            s.unsqueeze(it.vector3, &[3])
        }),
        ("Transpose", "[0, 0] of [2, 3]", |s, it| {
            s.transpose(it.matrix2x3, &[0, 0])
        }),
        ("Shape", "no such axes", |s, it| s.shape(it.vector3, 0, 2)),
        ("TopK", "a value of rank 0", |s, it| {
            s.top_k(it.scalar, 1)[0]
        }),
    ]);
}

#[test]
fn what_computes_names_its_node_and_the_reason_where_it_can_not() {
    assert_refused(&[
        ("Add", "float32 with int64", |s, it| {
            s.add(it.vector3, it.indices3)
        }),
        ("Mul", "[2, 3] does not broadcast with [2]", |s, it| {
            s.mul(it.matrix2x3, s.floats("two", &[2], &[1.0, 2.0]))
        }),
        ("Tanh", "takes floating point, not int64", |s, it| {
            s.tanh(it.indices3)
        }),
        ("Clip", "a bound is not of rank 0", |s, it| {
            s.clip(it.vector3, it.vector3, s.float(1.0))
        }),
        ("Range", "a negative limit", |s, _| s.range(s.int64(-1))),
        ("MatMul", "[2, 3] times [2, 3]", |s, it| {
            s.matmul(it.matrix2x3, it.matrix2x3)
        }),
        ("MatMul", "float32 with int64", |s, it| {
            s.matmul(it.matrix2x3, it.indices2x3)
        }),
        ("Gemm", "[2, 3] times the transpose of [3]", |s, it| {
            s.gemm(it.matrix2x3, it.vector3, it.vector3)
        }),
        ("LayerNormalization", "[2, 3] over [2, 3]", |s, it| {
            s.layer_normalization(it.matrix2x3, it.matrix2x3, it.vector3, 1e-5)
        }),
        ("MatMulInteger", "takes bytes, not float32", |s, it| {
            s.matmul_integer(it.matrix2x3, it.bytes2x3, s.uint8(0))
        }),
        ("MatMulNBits", "[2, 3] and [3] for [2, 1, 128]", |s, it| {
            s.matmul_nbits(it.matrix2x3, [it.bytes2x3, it.vector3], Blocks::Q8, [2, 3])
        }),
        ("QuantizeLinear", "takes bytes, not float32", |s, it| {
            s.quantize_linear(it.vector3, it.scalar, it.scalar)
        }),
        (
            "DequantizeLinear",
            "scales of shape [3] for an axis of 2",
            |s, it| s.dequantize_linear(it.bytes2x3, it.vector3, 0),
        ),
    ]);
}

#[test]
fn the_first_of_several_faults_is_told() {
    let error = fault(|s, it| s.softmax(s.add(s.concat(0, &[]), it.matrix2x3)));
    assert_eq!(error.to_string(), "place/Concat: no inputs");
}

#[test]
fn an_output_is_built_and_is_as_its_port_says() {
    let builder = Builder::new("faulty", 17, &NoWeights);
    builder.output(&port("y", DType::F32, &[3]), None);
    let missing = GraphError::MissingOutput("y: float32[3]".to_owned());
    assert_eq!(missing.to_string(), "output 'y: float32[3]' was not built");
    assert_eq!(builder.finish().unwrap_err(), missing);

    let error = fault(|_, it| it.vector3);
    let other = GraphError::Output {
        port: "y: float32[]".to_owned(),
        found: ": float32[3]".to_owned(),
    };
    assert_eq!(error, other);
    assert!(matches!(
        fault(|_, it| it.indices3),
        GraphError::Output { .. }
    ));
}

#[test]
fn a_name_is_used_once() {
    let builder = Builder::new("faulty", 17, &NoWeights);
    let x = port("x", DType::F32, &[3]);
    builder.input(&x);
    builder.input(&x);
    let twice = GraphError::DuplicateName("x".to_owned());
    assert_eq!(twice.to_string(), "two values are named 'x'");
    let graph = builder.finish().unwrap();
    assert_eq!(prepare(graph, Precision::Fp32).unwrap_err(), twice);
}

/// One matrix of 2 rows and 3 columns.
struct OneMatrix;

impl Weights for OneMatrix {
    fn shape(&self, name: &str) -> Option<&[usize]> {
        (name == "place.weight").then_some(&[2, 3])
    }
}

#[test]
fn all_weights_that_can_not_be_read_are_told_each_once() {
    let builder = Builder::new("faulty", 17, &OneMatrix);
    let s = builder.scope("place");
    let x = s.add(s.weight("weight", &[3, 2]), s.weight("weight", &[3, 2]));
    s.add(x, s.add(s.weight("bias", &[2]), s.weight("bias", &[2])));
    s.transposed_weight("weight", [2, 3]);
    let faults = vec![
        WeightError::Shape {
            name: "place.weight".to_owned(),
            expected: vec![3, 2],
            found: vec![2, 3],
        },
        WeightError::Missing {
            name: "place.bias".to_owned(),
            expected: vec![2],
        },
    ];
    assert_eq!(builder.finish().unwrap_err(), GraphError::Weights(faults));
}

/// A graph that gives the weight of [`OneMatrix`].
fn matrix() -> Graph {
    let builder = Builder::new("a matrix", 17, &OneMatrix);
    let s = builder.scope("place");
    let y = s.tanh(s.weight("weight", &[2, 3]));
    builder.output(&port("y", DType::F32, &[2, 3]), Some(y));
    builder.finish().unwrap()
}

#[test]
fn a_pass_says_what_it_can_not_take() {
    let half = apply(&Stored, matrix()).unwrap();
    let refused = GraphError::Requires {
        pass: "stored",
        reason: "the weight 'place.weight' is in F16 already".to_owned(),
    };
    assert_eq!(
        refused.to_string(),
        "the pass stored can't take the graph: the weight 'place.weight' is in F16 already"
    );
    assert_eq!(apply(&Stored, half).unwrap_err(), refused);
}

/// A pass of a caller's own that promises more than it does.
struct WithoutNodes;

impl Pass for WithoutNodes {
    fn name(&self) -> &'static str {
        "without-nodes"
    }

    fn requires(&self, _graph: &Graph) -> Result<(), String> {
        Ok(())
    }

    fn run(&self, graph: Graph) -> Result<Graph, GraphError> {
        Ok(graph)
    }

    fn leaves(&self, graph: &Graph) -> Result<(), String> {
        match graph.nodes.as_slice() {
            [] => Ok(()),
            [first, ..] => Err(format!("{} is left", first.name)),
        }
    }
}

#[test]
fn a_pass_that_does_not_leave_what_it_says_is_an_error() {
    let error = apply(&WithoutNodes, matrix()).unwrap_err();
    let broken = GraphError::Leaves {
        pass: "without-nodes",
        reason: "place/Tanh is left".to_owned(),
    };
    assert_eq!(error, broken);
    assert_eq!(
        error.to_string(),
        "the pass without-nodes did not do its work: place/Tanh is left"
    );
}
