//! Language models as people have them: a config that doesn't say `is_decoder`, turns of a dialogue with
//! token types by turns, and UniLM's prompt that is read in both directions; each token against the
//! reference over the whole sequence.

use ndarray::{Array2, Array3, ArrayD, Axis};
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::reference::{Inputs, Reference, ReferenceOptions};
use nezha_exporter::{ExportOptions, Heads, export};
use nezha_graphs::{GraphOptions, Head, MaskSource};
use nezha_runtime::{DecoderError, GenerationOptions, TextGeneration, Tokenizer};
use serde_json::Value;
use tempfile::TempDir;
use testkit::command::{stderr, stdout, succeeded};
use testkit::engines::ENGINES;
use testkit::{nezha, repository};

use super::cached;

const NEW_TOKENS: usize = 6;

/// The bundled checkpoint, whose config says nothing of a decoder, taken for one.
fn decoder(graph: GraphOptions) -> (TempDir, Checkpoint) {
    let folder = TempDir::new().unwrap();
    let options = OpenOptions::default().decoder(true);
    let checkpoint = Checkpoint::open(repository("models/nezha-tiny-zh"), &options).unwrap();
    let options = ExportOptions::default()
        .heads(Heads::Named(vec![Head::MaskedLm]))
        .graph(graph);
    export(&checkpoint, folder.path(), &options).unwrap();
    (folder, checkpoint)
}

/// What the reference goes on with, greedily: of these ids and types, with `masks` for each length.
fn expected(
    checkpoint: &Checkpoint,
    mut ids: Vec<i64>,
    mut types: Vec<i64>,
    new_type: i64,
    mask: impl Fn(usize) -> Option<ArrayD<i64>>,
) -> Vec<u32> {
    let reference = Reference::load(checkpoint).unwrap();
    let mut new = Vec::new();
    while new.len() < NEW_TOKENS {
        let row = |numbers: &[i64]| {
            let array = Array2::from_shape_vec((1, numbers.len()), numbers.to_vec());
            array.unwrap().into_dyn()
        };
        let mut inputs = Inputs::from([
            ("input_ids".to_owned(), row(&ids).into()),
            ("token_type_ids".to_owned(), row(&types).into()),
        ]);
        if let Some(mask) = mask(ids.len()) {
            inputs.insert("self_attention_mask".to_owned(), mask.into());
        }
        let options = ReferenceOptions::default();
        let outputs = reference.run(Head::MaskedLm, &options, &inputs).unwrap();
        let of_last = outputs["logits"].index_axis(Axis(0), 0);
        let of_last = of_last.index_axis(Axis(0), ids.len() - 1).to_owned();
        let best = of_last.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        let best = best.unwrap().0;
        new.push(best as u32);
        ids.push(best as i64);
        types.push(new_type);
    }
    new
}

fn wide(ids: &[u32]) -> Vec<i64> {
    ids.iter().map(|id| i64::from(*id)).collect()
}

/// No token ends a text, so that all lengths are the same.
fn options() -> GenerationOptions {
    GenerationOptions::default()
        .max_new_tokens(NEW_TOKENS)
        .eos(Vec::new())
}

#[test]
fn the_next_turn_of_a_dialogue_is_of_the_speaker_whose_turn_it_is() {
    let (folder, checkpoint) = decoder(cached());
    let tokenizer = Tokenizer::load(folder.path()).unwrap();
    let dialogues = [vec!["别爱我没结果"], vec!["你好", "今天天气很好", "是啊"]];
    let of_reference: Vec<Vec<u32>> = dialogues
        .iter()
        .map(|turns| {
            let (mut ids, mut types) = (vec![101], vec![0]);
            for (turn, text) in turns.iter().enumerate() {
                let of_turn = [wide(&tokenizer.ids(text).unwrap()), vec![102]].concat();
                types.extend(vec![(turn % 2) as i64; of_turn.len()]);
                ids.extend(of_turn);
            }
            let new_type = (turns.len() % 2) as i64;
            expected(&checkpoint, ids, types, new_type, |_| None)
        })
        .collect();
    for engine in ENGINES {
        let generation = TextGeneration::builder().engine(engine.kind);
        let generation = generation.load(folder.path()).unwrap();
        let found = generation.dialogues(&dialogues, &options()).unwrap();
        let found: Vec<Vec<u32>> = found.into_iter().map(|it| it.ids).collect();
        assert_eq!(found, of_reference, "{engine}");
    }
    let texts: Vec<String> = dialogues[1].iter().map(|it| (*it).to_owned()).collect();
    let model = folder.path().to_str().unwrap();
    let length = NEW_TOKENS.to_string();
    let command = [
        "generate",
        model,
        "--dialogue",
        "--max-new-tokens",
        &length,
        "--json",
    ];
    let turns: Vec<&str> = texts.iter().map(String::as_str).collect();
    let output = succeeded(nezha!([&command[..], &turns, &["--eos", "0"]].concat()));
    let document: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(document[0]["turns"], serde_json::json!(texts));
    assert_eq!(
        document[0]["answer"]["ids"],
        serde_json::json!(of_reference[1])
    );
}

#[test]
fn a_graph_without_token_types_has_no_turns() {
    let (folder, _) = decoder(cached().token_types(false));
    let generation = TextGeneration::builder().engine("tract");
    let generation = generation.load(folder.path()).unwrap();
    let refused = generation.dialogues(&[vec!["你好"]], &options());
    assert!(
        matches!(refused, Err(DecoderError::OneTokenType)),
        "{refused:?}"
    );
    assert_eq!(generation.texts(&["你好"], &options()).unwrap().len(), 1);
}

#[test]
fn a_prompt_of_unilm_is_read_in_both_directions_and_then_token_after_token() {
    let (folder, checkpoint) = decoder(cached().mask(MaskSource::Pairs));
    let tokenizer = Tokenizer::load(folder.path()).unwrap();
    let text = "今天天气很好，我们";
    let prompt = [vec![101], wide(&tokenizer.ids(text).unwrap())].concat();
    let (source, types) = (prompt.len(), vec![0; prompt.len()]);
    let mask = |length| {
        let sees = |(_, row, column)| i64::from(column <= row || column < source);
        Some(Array3::from_shape_fn((1, length, length), sees).into_dyn())
    };
    let of_reference = expected(&checkpoint, prompt, types, 0, mask);
    for engine in ENGINES {
        let generation = TextGeneration::builder().engine(engine.kind);
        let generation = generation.load(folder.path()).unwrap();
        let found = generation.texts(&[text], &options()).unwrap();
        assert_eq!(found[0].ids, of_reference, "{engine}");
    }
}

#[test]
fn a_config_that_says_nothing_of_a_decoder_is_made_one_by_an_option() {
    let folder = TempDir::new().unwrap();
    let target = folder.path().to_str().unwrap();
    let source = repository("models/nezha-tiny-zh");
    let export = [
        "export",
        source.to_str().unwrap(),
        "--head",
        "masked-lm",
        "--kv-cache",
    ];
    let export = [&export[..], &["-o", target]].concat();
    let output = nezha!(&export);
    assert_eq!(output.status.code(), Some(1));
    let expected = "hint: --decoder exports the model as a decoder";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    succeeded(nezha!([&export[..], &["--decoder"]].concat()));
    let model = folder.path().join("model.onnx");
    let model = nezha_runtime::Model::open(model).unwrap();
    assert!(model.config().unwrap().is_decoder);
    let verify = [
        "verify",
        &format!("{target}/model.onnx"),
        source.to_str().unwrap(),
        "--decoder",
    ];
    succeeded(nezha!(verify));
}
