//! Text that goes on, from the library and from `nezha generate`.

use std::fs;
use std::process::Output;

use nezha_graphs::Head;
use nezha_runtime::{GenerationOptions, TextGeneration, Tokenizer};
use serde_json::Value;
use tempfile::TempDir;
use testkit::command::{stderr, stdout, succeeded};
use testkit::compare::pairs;
use testkit::engines::{ENGINES, artifact};
use testkit::{nezha, repository};

use super::{cached, greedy_cases, masked_lm};

fn generate(arguments: &[&str]) -> Output {
    nezha!([&["generate"], arguments].concat())
}

/// The answers in a document that was printed.
fn answers(output: Output) -> Vec<Value> {
    serde_json::from_str(stdout(&succeeded(output))).expect("a list in JSON")
}

fn comma_separated(ids: &[u32]) -> String {
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    ids.join(",")
}

#[test]
fn the_command_generates_what_transformers_generates() {
    let (folder, _) = masked_lm("decoder-causal", &cached());
    let folder = folder.path().to_str().unwrap();
    for (prompts, expected) in greedy_cases() {
        let prompts: Vec<String> = prompts.iter().map(|it| comma_separated(it)).collect();
        for engine in ENGINES {
            let mut arguments = vec![folder, "--engine", engine.name(), "--max-new-tokens", "12"];
            arguments.extend(prompts.iter().flat_map(|it| ["--ids", it]));
            let context = format!("{engine}, {prompts:?}");
            let lines = succeeded(generate(&arguments));
            let whole = pairs(&context, &prompts, &expected);
            let whole = whole.map(|(prompt, new)| format!("{prompt},{}\n", comma_separated(new)));
            assert_eq!(stdout(&lines), whole.collect::<String>(), "{context}");

            let answers = answers(generate(&[arguments.as_slice(), &["--json"]].concat()));
            for (expected, answer) in pairs(&context, &expected, answers) {
                let answer = &answer["answer"];
                assert_eq!(answer["ids"], serde_json::json!(expected), "{context}");
                assert_eq!(answer["finish"], "length", "{context}");
            }
        }
    }
}

/// The bundled checkpoint as a decoder, which it was not trained to be.
fn decoder_of_text() -> TempDir {
    let bundled = repository("models/nezha-tiny-zh");
    let folder = TempDir::new().unwrap();
    for file in ["model.safetensors", "vocab.txt", "tokenizer_config.json"] {
        fs::copy(bundled.join(file), folder.path().join(file)).unwrap();
    }
    let config = fs::read_to_string(bundled.join("config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&config).unwrap();
    config["is_decoder"] = true.into();
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    artifact(folder.path(), Head::MaskedLm, &cached(), 17).0
}

#[test]
fn a_text_goes_on_after_the_class_token_and_ends_at_the_separator() {
    let folder = decoder_of_text();
    let tokenizer = Tokenizer::load(folder.path()).unwrap();
    let texts = ["今天天气很好，我们", "银行"];
    let prompt = |text: &&str| [vec![101], tokenizer.ids(text).unwrap()].concat();
    let prompts: Vec<Vec<u32>> = texts.iter().map(prompt).collect();
    for engine in ENGINES {
        let generation = TextGeneration::builder().engine(engine.kind);
        let generation = generation.load(folder.path()).unwrap();
        let options = GenerationOptions::default();
        let found = generation.texts(&texts, &options).unwrap();
        let until_separator = options.eos(vec![102]);
        let expected = generation.ids(&prompts, &until_separator).unwrap();
        let context = engine.name();
        let folder = folder.path().to_str().unwrap();
        let arguments = [folder, "--engine", context, "--json", texts[0], texts[1]];
        let answers = answers(generate(&arguments));
        let expected = pairs(context, texts, expected);
        let found = pairs(context, found, answers);
        for ((text, expected), (found, answer)) in pairs(context, expected, found) {
            assert_eq!(found.ids, expected.ids, "{context}: {text}");
            assert_eq!(found.text, tokenizer.decode(&found.ids, true).unwrap());
            assert_eq!(answer["text"], text, "{context}");
            assert_eq!(answer["answer"]["text"], found.text, "{context}: {text}");
        }
    }
}

#[test]
fn a_command_that_can_not_generate_says_what_to_do() {
    let (without_cache, _) = masked_lm("decoder-causal", &Default::default());
    let (with_cache, _) = masked_lm("decoder-causal", &cached());
    let nowhere = TempDir::new().unwrap();
    for (folder, arguments, code, expected) in [
        (
            &without_cache,
            ["--ids", "1"].as_slice(),
            1,
            "nezha export --kv-cache",
        ),
        (
            &nowhere,
            &["--ids", "1"],
            1,
            "has none of model.onnx, masked-lm.onnx",
        ),
        (
            &with_cache,
            &["text"],
            1,
            "neither tokenizer.json nor vocab.txt",
        ),
        (
            &with_cache,
            &["--ids", "59"],
            1,
            "'input_ids' is 59 at [0, 0], expected 0 to 58",
        ),
        (
            &with_cache,
            &["--ids", "1", "--top-k", "0", "--strategy", "top-k"],
            1,
            "top_k is 0",
        ),
        (&with_cache, &["--ids", "1,x"], 2, "invalid value '1,x'"),
        (&with_cache, &[], 2, "<TEXT>"),
        (
            &with_cache,
            &["text", "--ids", "1"],
            2,
            "cannot be used with",
        ),
    ] {
        let folder = folder.path().to_str().unwrap();
        let output = generate(&[&[folder, "--engine", "tract"], arguments].concat());
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
