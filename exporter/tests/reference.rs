//! The reference against transformers 4.46.3.
#![allow(
    clippy::print_stdout,
    reason = "--nocapture shows how near the answers are"
)]

use std::path::Path;

use ndarray::{ArrayD, Axis, s};
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::reference::{Inputs, Outputs, Reference, ReferenceOptions};
use nezha_graphs::Head;
use testkit::compare::assert_close;
use testkit::fixtures::{Case, Tensor, bundled, fixture, fixtures, tensors};

/// Of the largest magnitude in a tensor; transformers computes in f32.
const TOLERANCE: f64 = 1e-5;

fn load(folder: &Path) -> Reference {
    let checkpoint = Checkpoint::open(folder, &OpenOptions::default())
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    Reference::load(&checkpoint).unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
}

fn run(reference: &Reference, head: Head, case: &Case) -> Outputs {
    let options = ReferenceOptions::default().problem_type(case.problem_type);
    reference
        .run(head, &options, &tensors(&case.inputs))
        .unwrap_or_else(|e| panic!("{head} {}: {e}", case.name))
}

/// Compares everything that transformers gave; returns the worst relative error.
fn compare(context: &str, case: &Case, actual: &Outputs) -> f64 {
    case.answers().fold(0.0, |worst: f64, (name, expected)| {
        let actual = actual.get(name);
        let actual = actual.unwrap_or_else(|| panic!("{context}: no output {name}"));
        worst.max(assert_close(context, name, expected, actual, TOLERANCE))
    })
}

#[test]
fn every_output_of_every_fixture_is_that_of_transformers() {
    let mut worst = (0.0, String::new());
    for fixture in fixtures() {
        let reference = load(&fixture.folder);
        for case in fixture.cases.iter().filter(|case| !case.is_generation()) {
            let context = format!("{}, {}", fixture.name, case.name);
            let outputs = run(&reference, fixture.head, case);
            let error = compare(&context, case, &outputs);
            if error > worst.0 {
                worst = (error, context.clone());
            }
            // The cases of losses carry no hidden states and attentions; all others carry all.
            if !case.name.starts_with("loss-") {
                let (ours, theirs) = (outputs.keys(), case.outputs.keys());
                assert!(
                    ours.clone().eq(theirs.clone()),
                    "{context}: {ours:?} {theirs:?}"
                );
            }
        }
    }
    println!(
        "worst: {:e} of the largest magnitude, in {}",
        worst.0, worst.1
    );
}

#[test]
fn the_bundled_checkpoints_answer_as_in_transformers() {
    for (folder, case) in bundled() {
        let reference = load(&folder);
        let checkpoint = Checkpoint::open(&folder, &OpenOptions::default()).unwrap();
        let heads = checkpoint.config().heads();
        assert!(!heads.is_empty(), "{}: no head named", folder.display());
        let mut outputs = run(&reference, Head::Base, &case);
        outputs.extend(run(&reference, heads[0], &case));
        let worst = compare(&case.name, &case, &outputs);
        println!("{}: {worst:e}", case.name);
    }
}

/// The logits of every row follow from the tokens before it, so that one run over a generated
/// sequence shows the choice of each of its tokens.
#[test]
fn a_decoder_chooses_the_tokens_of_a_greedy_loop_over_transformers() {
    let mut generated = 0;
    for fixture in fixtures() {
        for case in fixture.cases.iter().filter(|case| case.is_generation()) {
            let context = format!("{}, {}", fixture.name, case.name);
            let (Tensor::I64(prompt), Tensor::I64(sequences)) =
                (&case.inputs["input_ids"], &case.outputs["sequences"])
            else {
                panic!("{context}: ids are int64");
            };
            let mut mask = ArrayD::ones(sequences.shape());
            if let Some(Tensor::I64(given)) = case.inputs.get("attention_mask") {
                mask.slice_mut(s![.., ..given.shape()[1]]).assign(given);
            }
            let inputs = Inputs::from([
                ("input_ids".to_owned(), sequences.clone().into()),
                ("attention_mask".to_owned(), mask.into()),
            ]);
            let outputs = load(&fixture.folder)
                .run(fixture.head, &ReferenceOptions::default(), &inputs)
                .unwrap_or_else(|e| panic!("{context}: {e}"));
            for (row, logits) in outputs["logits"].axis_iter(Axis(0)).enumerate() {
                for position in prompt.shape()[1]..sequences.shape()[1] {
                    let logits = logits.index_axis(Axis(0), position - 1);
                    let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
                    let expected = sequences[[row, position]];
                    let found = best.map(|(token, _)| token as i64);
                    assert_eq!(found, Some(expected), "{context}: token {row}, {position}");
                    generated += 1;
                }
            }
        }
    }
    assert!(generated > 0, "no fixture generates");
}

/// The fixture `reach-4/<head>`, and inputs of two texts of three tokens.
fn small(head: &str) -> (Reference, Inputs) {
    let fixture = fixture(&format!("reach-4/{head}"));
    let ids = ArrayD::from_shape_fn(vec![2, 3], |at| (at[0] * 3 + at[1]) as i64);
    (
        load(&fixture.folder),
        Inputs::from([("input_ids".to_owned(), ids.into())]),
    )
}

#[test]
fn a_batch_with_no_visible_token_is_uniform_and_not_nan() {
    let (reference, mut inputs) = small("base");
    inputs.insert(
        "attention_mask".to_owned(),
        ArrayD::<i64>::zeros(vec![2, 3]).into(),
    );
    let outputs = reference
        .run(Head::Base, &ReferenceOptions::default(), &inputs)
        .unwrap();
    for probability in &outputs["attentions.0"] {
        assert!((probability - 1.0 / 3.0).abs() < 1e-15, "{probability}");
    }
}

#[test]
fn a_weight_that_the_head_needs_is_named_with_its_shape() {
    let (reference, inputs) = small("base");
    let error = reference
        .run(
            Head::TokenClassification,
            &ReferenceOptions::default(),
            &inputs,
        )
        .unwrap_err();
    let expected = "weight 'classifier.weight' of shape [3, 16] is missing";
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[test]
fn every_input_that_does_not_fit_is_named() {
    let int = |shape: &[usize], value: i64| ArrayD::from_elem(shape, value).into();
    let float = |shape: &[usize]| ArrayD::from_elem(shape, 1.0f64).into();
    let (base, ids) = small("base");
    let (masked_lm, _) = small("masked-lm");
    for (name, tensor, expected) in [
        (
            "input_ids",
            int(&[2, 3], 47),
            "input_ids[0, 0] is 47, expected 0 to 46",
        ),
        (
            "input_ids",
            int(&[2, 3], -1),
            "input_ids[0, 0] is -1, expected 0 to 46",
        ),
        (
            "input_ids",
            int(&[6], 0),
            "'input_ids' has shape [6], expected 2 axes",
        ),
        (
            "input_ids",
            int(&[2, 0], 0),
            "'input_ids' has shape [2, 0], expected 2 axes",
        ),
        ("input_ids", float(&[2, 3]), "expected whole numbers"),
        (
            "attention_mask",
            int(&[2, 4], 1),
            "has shape [2, 4], expected [2, 3]",
        ),
        (
            "attention_mask",
            int(&[2, 3], 2),
            "attention_mask[0, 0] is 2, expected 0 to 1",
        ),
        (
            "token_type_ids",
            int(&[2, 3], 2),
            "token_type_ids[0, 0] is 2, expected 0 to 1",
        ),
        (
            "head_mask",
            float(&[3]),
            "has shape [3], expected [2, 2] or [2]",
        ),
        ("head_mask", int(&[2], 1), "expected floating-point numbers"),
        (
            "inputs_embeds",
            float(&[2, 3, 16]),
            "exactly one of 'input_ids' and 'inputs_embeds'",
        ),
        (
            "encoder_hidden_states",
            float(&[2, 3, 16]),
            "no input 'encoder_hidden_states'",
        ),
        (
            "labels",
            int(&[2, 3], 47),
            "labels[0, 0] is 47, expected 0 to 46",
        ),
        (
            "labels",
            int(&[2], 0),
            "'labels' has shape [2], expected [2, 3]",
        ),
    ] {
        let mut inputs = ids.clone();
        inputs.insert(name.to_owned(), tensor);
        let (reference, head) = match name {
            "labels" => (&masked_lm, Head::MaskedLm),
            _ => (&base, Head::Base),
        };
        let result = reference.run(head, &ReferenceOptions::default(), &inputs);
        let error = result.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
}
