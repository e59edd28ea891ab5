#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use std::collections::BTreeMap;
use std::error::Error;

use super::*;
use crate::{GraphOptions, Signature};

struct Shapes(BTreeMap<&'static str, Vec<usize>>);

impl Tensors for Shapes {
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.0.get(name).cloned()
    }

    fn values(&self, name: &str) -> Result<Vec<f32>, Box<dyn Error + Send + Sync>> {
        let shape = self.shape(name).ok_or("no such tensor")?;
        Ok(vec![0.5; shape.iter().product()])
    }
}

fn tensors() -> Shapes {
    Shapes(BTreeMap::from([
        ("fc.weight", vec![3, 16]),
        ("fc.bias", vec![3]),
        ("wide.weight", vec![5, 32]),
        ("mix", vec![1, 3]),
        ("kernel", vec![8, 4]),
    ]))
}

fn config() -> Config {
    let text = r#"{"model_type": "nezha", "hidden_size": 8, "num_hidden_layers": 2,
        "num_attention_heads": 2, "id2label": {"0": "a", "1": "b", "2": "c"}}"#;
    Config::from_json(text).unwrap()
}

fn resolve(text: &str) -> Result<Head, String> {
    let told = |error: HeadSpecError| error.to_string();
    let spec = HeadSpec::from_toml(text).map_err(told)?;
    spec.resolve(&config(), &tensors()).map_err(told)
}

fn outputs(head: Head) -> Vec<String> {
    let signature = Signature::new(&config(), head, &GraphOptions::default());
    signature.outputs.iter().map(ToString::to_string).collect()
}

#[test]
fn a_spec_gives_outputs_of_the_shapes_that_its_tensors_have() {
    for (body, expected) in [
        (
            "task = \"text-classification\"\nread = [\"mean\", \"pooler\"]\n\
             steps = [{ linear = { module = \"fc\" } }]",
            "logits: float32[batch_size, 3]",
        ),
        (
            "read = \"tokens\"\nlayers = [-1, 0, 1]\nmix = { weighted = { weights = \"mix\" } }",
            "logits: float32[batch_size, sequence_length, 8]",
        ),
        (
            "read = \"cls\"\nlayers = \"all\"",
            "logits: float32[batch_size, 24]",
        ),
        (
            "read = [\"cls\", \"max\"]\ncombine = \"add\"\nsteps = [{ dropout = [0.1, 0.2] }, \
             { linear = { weight = \"kernel\", layout = \"in-out\" } }, { column = 1 }]",
            "logits: float32[batch_size]",
        ),
        (
            "read = \"tokens\"\nsteps = [{ branches = { of = [[], [{ activation = \"relu\" }]] } }, \
             { pool = \"max\" }, { linear = { module = \"fc\" } }]",
            "logits: float32[batch_size, 3]",
        ),
    ] {
        let text = format!("name = \"mine\"\n[[outputs]]\n{body}");
        let head = resolve(&text).unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(outputs(head), [expected], "{body}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_its_field() {
    for (body, expected) in [
        (
            "read = \"tokens\"\nsteps = [{ linear = { module = \"fc\" } }]",
            "outputs[0].steps[0].linear: tensor 'fc.weight' [3, 16] takes 16 numbers, and what is \
             read gives 8",
        ),
        (
            "read = \"cls\"\nsteps = [{ linear = { module = \"head\" } }]",
            "outputs[0].steps[0].linear: the checkpoint has no tensor 'head.weight'",
        ),
        (
            "read = [\"cls\", \"tokens\"]",
            "outputs[0].read: a vector of 8 for each text and a vector of 8 for each token can't be \
             combined",
        ),
        (
            "read = \"cls\"\nlayers = [3]",
            "outputs[0].layers: there is no layer 3: 0 is the embeddings, 2 or -1 the last layer",
        ),
        (
            "read = \"cls\"\nlayers = [-1, -2]\nmix = { weighted = { weights = \"mix\" } }",
            "outputs[0].mix.weighted.weights: tensor 'mix' has shape [1, 3], and 2 layers are read",
        ),
        (
            "read = \"tokens\"\ntask = \"text-classification\"",
            "outputs[0].task: 'logits' is a vector of 8 for each token, and text-classification decodes \
             a vector for each text",
        ),
        (
            "read = \"cls\"\ntask = \"text-classification\"\nlabels = [\"a\"]",
            "outputs[0].labels: 1 labels, and the output scores 8",
        ),
        (
            "read = \"cls\"\nname = \"input_ids\"",
            "outputs[0].name: 'input_ids' is the name of another port",
        ),
        (
            "read = \"cls\"\nstep = []",
            "line 4, column 1: unknown field `step`, expected one of `name`, `task`, `labels`, \
             `layers`, `mix`, `read`, `combine`, `steps`, `crf`, `threshold`",
        ),
        (
            "read = \"first\"",
            "line 3, column 8: unknown variant `first`, expected one of `cls`, `pooler`, `mean`, \
             `mean-all`, `max`, `max-all`, `tokens`",
        ),
        (
            "read = \"cls\"\nsteps = [{ activation = \"relux\" }]",
            "line 4, column 10: unknown activation 'relux'; supported are gelu, gelu_new, \
             gelu_pytorch_tanh, gelu_fast, quick_gelu, relu, silu, swish, tanh, sigmoid, softmax, \
             leaky_relu",
        ),
    ] {
        let text = format!("name = \"mine\"\n[[outputs]]\n{body}");
        assert_eq!(resolve(&text).unwrap_err(), expected, "{body}");
    }
    for name in ["", "Mine", "masked-lm", "model", "a/b", "-a"] {
        let error = resolve(&format!("name = \"{name}\"\n[[outputs]]\nread = \"cls\""));
        let error = error.unwrap_err();
        assert!(error.starts_with(&format!("name: '{name}'")), "{error}");
    }
}

#[test]
fn a_file_names_the_line_of_the_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("head.toml");
    let text = "name = \"mine\"\n\n[[outputs]]\nread = \"cls\"\nsteps = [\n  { linear = { module = \"no\" } },\n]\n";
    crate::files::write_file(&path, text).unwrap();
    let file = HeadSpecFile::open(&path).unwrap();
    let error = file.resolve(&config(), &tensors()).unwrap_err();
    let expected = format!(
        "{}, line 6: outputs[0].steps[0].linear: the checkpoint has no tensor 'no.weight'",
        path.display()
    );
    assert_eq!(crate::error_chain(&error), expected);
}

#[test]
fn a_resolved_head_is_what_its_json_says_and_there_is_one_of_it() {
    let text = "name = \"mine\"\n[[outputs]]\nread = [\"mean\", \"pooler\"]\ntask = \"text-classification\"\n\
                steps = [{ linear = { module = \"fc\" } }, { dropout = 0.5 }]";
    let head = resolve(text).unwrap();
    let Head::Own(own) = head else {
        panic!("{head:?}");
    };
    let expected = r#"{"name":"mine","outputs":[{"name":"logits","task":"text-classification","labels":["a","b","c"],"read":["mean","pooler"],"steps":[{"linear":{"weight":"fc.weight","bias":"fc.bias","width":3}},{"dropout":[0.5]}]}]}"#;
    assert_eq!(own.json(), expected);
    let Head::Own(again) = HeadSpec::resolved(expected, &config()).unwrap() else {
        panic!("no own head");
    };
    assert!(std::ptr::eq(own, again), "two of one spec");
}

/// Tensors of a CRF over two labels, by these names: transitions 1 to 4 row by row, then 5 to 8.
struct Transitions([&'static str; 3]);

impl Tensors for Transitions {
    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let place = self.0.iter().position(|it| *it == name)?;
        Some(if place == 0 { vec![2, 2] } else { vec![2] })
    }

    fn values(&self, name: &str) -> Result<Vec<f32>, Box<dyn Error + Send + Sync>> {
        Ok(match self.0.iter().position(|it| *it == name) {
            Some(0) => vec![1.0, f32::NEG_INFINITY, 3.0, 4.0],
            Some(1) => vec![5.0, 6.0],
            _ => vec![7.0, 8.0],
        })
    }
}

fn crf_of(crf: &str, names: [&'static str; 3]) -> Result<CrfScores, String> {
    let text = format!("name = \"mine\"\n[[outputs]]\nread = \"tokens\"\ncrf = {crf}");
    let config = Config::from_json(r#"{"hidden_size": 2, "num_attention_heads": 1}"#).unwrap();
    let spec = HeadSpec::from_toml(&text).map_err(|error| error.to_string())?;
    let head = spec.resolve(&config, &Transitions(names));
    let Head::Own(own) = head.map_err(|error| error.to_string())? else {
        panic!("no head of its own");
    };
    // Numbers come through the metadata as they are.
    let Head::Own(read) = HeadSpec::resolved(own.json(), &config).unwrap() else {
        panic!("no head of its own");
    };
    let output = read.outputs().next().unwrap();
    Ok(output.spec.crf.as_ref().unwrap().scores.clone().unwrap())
}

#[test]
fn a_crf_has_the_names_of_either_library_and_either_orientation() {
    let pytorch_crf = [
        "crf.transitions",
        "crf.start_transitions",
        "crf.end_transitions",
    ];
    let torch_crf = ["crf.trans_matrix", "crf.start_trans", "crf.end_trans"];
    let forwards = CrfScores {
        transitions: vec![vec![1.0, f32::MIN], vec![3.0, 4.0]],
        start: vec![5.0, 6.0],
        end: vec![7.0, 8.0],
    };
    for names in [pytorch_crf, torch_crf] {
        let found = crf_of("{ module = \"crf\" }", names);
        assert_eq!(found.as_ref(), Ok(&forwards), "{names:?}");
    }
    let turned = crf_of(
        "{ transitions = \"t\", start = \"s\", orientation = \"to-from\" }",
        ["t", "s", "e"],
    );
    let backwards = CrfScores {
        transitions: vec![vec![1.0, 3.0], vec![f32::MIN, 4.0]],
        start: vec![5.0, 6.0],
        end: vec![0.0, 0.0],
    };
    assert_eq!(turned, Ok(backwards));
    for (crf, expected) in [
        (
            "{ module = \"no\" }",
            "outputs[0].crf: the checkpoint has no 'no.transitions'",
        ),
        (
            "{}",
            "outputs[0].crf: neither module nor transitions are named",
        ),
        (
            "{ transitions = \"s\" }",
            "outputs[0].crf: tensor 's' has shape [2], expected [2, 2], one for each label",
        ),
    ] {
        assert_eq!(crf_of(crf, ["t", "s", "e"]).unwrap_err(), expected, "{crf}");
    }
}

#[test]
fn a_task_says_which_outputs_it_lacks() {
    for (body, expected) in [
        (
            "name = \"start_logits\"\ntask = \"span-classification\"\nread = \"tokens\"",
            "outputs[0].task: span-classification needs an output 'end_logits' too",
        ),
        (
            "name = \"start_logits\"\ntask = \"question-answering\"\nread = \"tokens\"",
            "outputs[0].task: 'start_logits' is a vector of 8 for each token, and question-answering \
             decodes 'start_logits' and 'end_logits' with a number for each token, and \
             'answerable_logits' with one or two for each text",
        ),
        (
            "name = \"a\"\ntask = \"text-classification\"\nread = \"cls\"\n[[outputs]]\n\
             name = \"b\"\ntask = \"text-classification\"\nread = \"cls\"",
            "outputs[0].task: text-classification decodes one output, and this is not the only one",
        ),
    ] {
        let text = format!("name = \"mine\"\n[[outputs]]\n{body}");
        assert_eq!(resolve(&text).unwrap_err(), expected, "{body}");
    }
}
