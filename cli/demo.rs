//! `nezha demo`: the bundled checkpoints, exported, run, their answers shown.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, Heads, export};
use nezha_graphs::Head;
use nezha_runtime::task::{
    Aggregation, FillMask, Task, TextClassification, TokenClassification,
    TokenClassificationOptions,
};
use nezha_runtime::{EngineChoice, Pipeline};

use crate::engine::{EngineArgs, announce};
use crate::output;

/// The checkpoint that fills gaps.
const FILL_MASK: &str = "nezha-tiny-zh";

const GAPS: [&str; 4] = [
    "中国人[MASK]银行行长今天宣布。",
    "这家[MASK]店的服务态度很好。",
    "我[MASK]常喜欢这本书。",
    "新华社北[MASK]１月１日电",
];

const REVIEWS: [&str; 3] = [
    "房间很干净，服务热情，下次还会住。",
    "这家酒店的服务太差了，房间又脏又吵，再也不会来了。",
    "屏幕有坏点，客服不理人，后悔买了。",
];

const NEWS: [&str; 1] =
    ["新华社北京１月２日电（记者李明）国务院总理李鹏今天在人民大会堂会见了日本首相桥本龙太郎。"];

/// Export the bundled checkpoints, run them and show their answers.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of the bundled checkpoints.
    #[arg(long, value_name = "DIR", default_value = "models")]
    models: PathBuf,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Prints a table of texts, answers, engine and time.
pub(crate) fn run(args: Args) -> Result<()> {
    let models = args.models.as_path();
    if !models.join(FILL_MASK).is_dir() {
        bail!(
            "no bundled checkpoints in {}: run the demo in a clone of the repository, or name its folder with \
             --models",
            models.display()
        );
    }
    let folder = tempfile::tempdir().context("no temporary folder to export to")?;
    let mut demo = Demo {
        models,
        artifacts: folder.path(),
        engine: args.engine,
        announced: false,
        table: Table::new(),
    };
    demo.table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["task", "text", "answer", "engine", "time"]);
    demo.show::<FillMask>(FILL_MASK, Head::MaskedLm, None, &GAPS, |gaps| {
        let fills = gaps.iter().flatten().take(3);
        join(
            fills.map(|fill| format!("{} {:.4}", fill.token_str, fill.score)),
            ", ",
        )
    })?;
    let head = Head::SequenceClassification;
    demo.show::<TextClassification>("nezha-tiny-zh-sentiment", head, None, &REVIEWS, |labels| {
        join(
            labels
                .iter()
                .map(|it| format!("{} {:.4}", it.label, it.score)),
            ", ",
        )
    })?;
    let options = TokenClassificationOptions::default().aggregation(Aggregation::Simple);
    let head = Head::TokenClassification;
    demo.show::<TokenClassification>(
        "nezha-tiny-zh-ner",
        head,
        Some(options),
        &NEWS,
        |entities| {
            // The tokenizer joins words by blanks; Chinese has none.
            let name = |word: &str| word.replace(' ', "");
            join(
                entities
                    .iter()
                    .map(|it| format!("{} {}", name(&it.word), it.label)),
                ", ",
            )
        },
    )?;
    output::line(&demo.table)
}

struct Demo<'a> {
    models: &'a Path,
    artifacts: &'a Path,
    engine: EngineArgs,
    announced: bool,
    table: Table,
}

impl Demo<'_> {
    /// Exports a checkpoint, asks it every text and adds the answers to the table.
    fn show<T: Task>(
        &mut self,
        model: &str,
        head: Head,
        options: Option<T::Options>,
        texts: &[&str],
        shown: impl Fn(T::Answer) -> String,
    ) -> Result<()>
    where
        T::Input: for<'t> From<&'t str>,
    {
        let start = Instant::now();
        let checkpoint = Checkpoint::open(self.models.join(model), &OpenOptions::default())?;
        let artifact = self.artifacts.join(model);
        let heads = ExportOptions::default().heads(Heads::Named(vec![head]));
        export(&checkpoint, &artifact, &heads)?;
        output::note(format_args!(
            "{model}: exported as {head} in {}",
            milliseconds(start.elapsed())
        ));

        let choice: &EngineChoice = &self.engine.engine;
        let pipeline = Pipeline::<T>::builder()
            .engine(choice)
            .engine_options(self.engine.options())
            .options(options.unwrap_or_default())
            .load(&artifact)?;
        if !std::mem::replace(&mut self.announced, true) {
            announce(pipeline.session());
        }
        for text in texts {
            let start = Instant::now();
            for answer in pipeline.run([*text])? {
                let time = milliseconds(start.elapsed());
                let engine = pipeline.session().engine().description();
                self.table
                    .add_row([T::NAME, text, &shown(answer), engine, &time]);
            }
        }
        Ok(())
    }
}

fn join(parts: impl Iterator<Item = String>, separator: &str) -> String {
    parts.collect::<Vec<_>>().join(separator)
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
