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
