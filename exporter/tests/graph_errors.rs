//! Graphs that don't hold together: building goes on to the end, and `finish` gives the first fault
//! as a typed error that names the node. Nothing panics.

use nezha_exporter::graph::{Builder, GraphError, NoWeights, Scope, Value};
use nezha_graphs::{DType, Dim, Port};

/// The inputs of every graph here, by the sizes in their names.
struct Inputs {
    scalar: Value,
    vector3: Value,
    matrix2x3: Value,
    indices2x3: Value,
    indices3: Value,
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
    };
    let value = build(&builder.scope("place"), &inputs);
    builder.output(&port("y", DType::F32, &[]), Some(value));
    builder.finish().unwrap_err()
}

type Build = fn(&Scope, &Inputs) -> Value;

#[test]
fn an_operation_on_what_it_can_not_take_names_its_node_and_the_reason() {
    let cases: [(&str, &str, Build); 15] = [
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
    ];
    for (operator, reason, build) in cases {
        let expected = GraphError::Operation {
            node: format!("place/{operator}"),
            reason: reason.to_owned(),
        };
        assert_eq!(fault(build), expected);
    }
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
    assert_eq!(builder.finish().unwrap_err(), missing);

    let error = fault(|_, it| it.vector3);
    let other = GraphError::Output {
        port: "y: float32[]".to_owned(),
        found: ": float32[3]".to_owned(),
    };
    assert_eq!(error, other);
}

#[test]
fn a_name_is_used_once() {
    let builder = Builder::new("faulty", 17, &NoWeights);
    let x = port("x", DType::F32, &[3]);
    builder.input(&x);
    builder.input(&x);
    let twice = GraphError::DuplicateName("x".to_owned());
    assert_eq!(builder.finish().unwrap_err(), twice);
}
