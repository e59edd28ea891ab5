//! `nezha generate`: text goes on.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use nezha_runtime::{
    Generated, GeneratedText, GenerationOptions, Sampling, Strategy, TextGeneration,
};
use serde_json::{Value, json};

use crate::engine::{EngineArgs, announce};
use crate::output;

/// Continue texts with a decoder that was exported with --kv-cache.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A folder that `nezha export --kv-cache` wrote, or an .onnx file.
    model: PathBuf,
    /// The texts to continue.
    #[arg(required_unless_present = "ids")]
    text: Vec<String>,
    /// Take the texts as the turns of one dialogue and generate the next turn. Their token types alternate
    /// between 0 and 1, as in `nezha_gpt_dialog`.
    #[arg(long, conflicts_with = "ids")]
    dialogue: bool,
    /// Token ids to continue instead of texts: 9,29,1. Repeat it for several prompts.
    #[arg(long, value_name = "ID,ID,…", conflicts_with = "text", value_parser = prompt)]
    ids: Vec<Prompt>,
    /// New tokens for each text at most.
    #[arg(long, value_name = "N", default_value_t = 20)]
    max_new_tokens: usize,
    /// How each token is chosen.
    #[arg(long, default_value = "greedy")]
    strategy: StrategyArg,
    /// Draw from the N most probable tokens; by default 50 with the strategy top-k.
    #[arg(long, value_name = "N")]
    top_k: Option<usize>,
    /// Draw from the fewest tokens whose probabilities add up to P; by default 0.9 with the strategy top-p.
    #[arg(long, value_name = "P")]
    top_p: Option<f64>,
    /// Values below 1 draw probable tokens more often, values above 1 less often.
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    temperature: f64,
    /// The same seed draws the same tokens.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Sequences that beam search follows.
    #[arg(long, value_name = "N", default_value_t = 4)]
    beam_width: usize,
    /// Values above 0 make beam search favor long texts, values below 0 short ones.
    #[arg(
        long,
        value_name = "X",
        default_value_t = 1.0,
        allow_negative_numbers = true
    )]
    length_penalty: f64,
    /// A token that ends a text. By default the tokenizer's separator, and none with --ids.
    #[arg(long, value_name = "ID")]
    eos: Vec<u32>,
    /// Print one JSON document: a list of prompts with their answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum StrategyArg {
    /// The most probable token.
    Greedy,
    /// A draw among the most probable tokens.
    TopK,
    /// A draw among the fewest tokens that together are probable enough.
    TopP,
    /// The best text of several that are followed at once.
    Beam,
}

#[derive(Clone)]
struct Prompt(Vec<u32>);

fn prompt(text: &str) -> Result<Prompt, std::num::ParseIntError> {
    let ids = text.split(',').map(|id| id.trim().parse());
    ids.collect::<Result<_, _>>().map(Prompt)
}

/// Generates and prints.
pub(crate) fn run(args: Args) -> Result<()> {
    let engine = &args.engine;
    let generation = TextGeneration::builder()
        .engine(&engine.engine)
        .engine_options(engine.options())
        .load(&args.model)?;
    announce(generation.session());
    let options = options(&args);
    let answers: Vec<Answer> = if args.dialogue {
        let answers = generation.dialogues(std::slice::from_ref(&args.text), &options)?;
        answers
            .into_iter()
            .map(|it| of_turns(&args.text, it))
            .collect()
    } else if args.ids.is_empty() {
        let answers = generation.texts(&args.text, &options)?;
        args.text.iter().zip(answers).map(of_text).collect()
    } else {
        let prompts: Vec<Vec<u32>> = args.ids.into_iter().map(|prompt| prompt.0).collect();
        let answers = generation.ids(&prompts, &options)?;
        prompts.iter().zip(answers).map(of_ids).collect()
    };
    if args.json {
        let document: Vec<Value> = answers.into_iter().map(|it| it.json).collect();
        output::json(&document)
    } else {
        answers.iter().try_for_each(|it| output::line(&it.line))
    }
}

fn options(args: &Args) -> GenerationOptions {
    let sampling = |top_k, top_p| {
        Strategy::Sample(
            Sampling::default()
                .top_k(top_k)
                .top_p(top_p)
                .temperature(args.temperature)
                .seed(args.seed),
        )
    };
    GenerationOptions::default()
        .max_new_tokens(args.max_new_tokens)
        .eos((!args.eos.is_empty()).then(|| args.eos.clone()))
        .strategy(match args.strategy {
            StrategyArg::Greedy => Strategy::Greedy,
            StrategyArg::TopK => sampling(args.top_k.or(Some(50)), args.top_p),
            StrategyArg::TopP => sampling(args.top_k, args.top_p.or(Some(0.9))),
            StrategyArg::Beam => Strategy::Beam {
                width: args.beam_width,
                length_penalty: args.length_penalty,
            },
        })
}

/// An answer for people and for programs.
struct Answer {
    line: String,
    json: Value,
}

fn of_turns(turns: &[String], answer: GeneratedText) -> Answer {
    Answer {
        line: answer.text.clone(),
        json: json!({"turns": turns, "answer": of_answer(answer)}),
    }
}

fn of_answer(answer: GeneratedText) -> Value {
    json!({
        "text": answer.text,
        "ids": answer.ids,
        "log_probability": answer.log_probability,
        "finish": answer.finish.name(),
    })
}

fn of_text((prompt, answer): (&String, GeneratedText)) -> Answer {
    Answer {
        line: format!("{prompt}{}", answer.text),
        json: json!({"text": prompt, "answer": of_answer(answer)}),
    }
}

fn of_ids((prompt, answer): (&Vec<u32>, Generated)) -> Answer {
    let all = prompt.iter().chain(&answer.ids);
    Answer {
        line: all.map(u32::to_string).collect::<Vec<_>>().join(","),
        json: json!({
            "ids": prompt,
            "answer": {
                "ids": answer.ids,
                "log_probability": answer.log_probability,
                "finish": answer.finish.name(),
            },
        }),
    }
}
