//! A head of your own: a few lines say what it reads and computes. It is exported, verified, and
//! run by a task of your own.
//!
//! ```text
//! cargo run --release --example own_head
//! ```
#![allow(clippy::print_stdout, reason = "an example prints its answers")]

use std::sync::Arc;

use nezha_onnx::Head;
use nezha_onnx::export::{Checkpoint, ExportOptions, OpenOptions, export};
use nezha_onnx::head_spec::{HeadSpec, Layers, Linear, Mix, OutputSpec, Read};
use nezha_onnx::ndarray::Ix1;
use nezha_onnx::runtime::Pipeline;
use nezha_onnx::runtime::task::{Row, RowOutputs, Task, TaskError, TaskModel, Text};
use nezha_onnx::verify::certify;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let source = "models/nezha-tiny-zh-sentiment";
    let checkpoint = Checkpoint::open(source, &OpenOptions::default())?;

    // The classifier reads the mean of the first token's vectors in the last two layers, instead of
    // the pooler's output.
    let head = HeadSpec::new("without-pooler")
        .output(
            OutputSpec::new([Read::Cls])
                .name("scores")
                .layers(Layers::Numbers(vec![-1, -2]), Mix::Average)
                .step(Linear::new("classifier")),
        )
        .resolve(checkpoint.config(), &checkpoint)?;
    let options = ExportOptions::default().heads(head);
    let exported = export(&checkpoint, folder.path(), &options)?;

    let model = &exported.artifacts[0].file.path;
    let certificate = certify(model, &checkpoint, &[], &Default::default())?;
    println!("{head}: verified is {}", certificate.passed);

    let margins = Pipeline::<Margin>::load(folder.path())?;
    let texts = [
        "房间很干净，服务热情，下次还会住。",
        "客服不理人，后悔买了。",
    ];
    for (text, margin) in texts.iter().zip(margins.run(texts)?) {
        println!("{margin:+.2} {text}");
    }
    Ok(())
}

/// How much more positive than negative a text is.
struct Margin(Arc<TaskModel>);

impl Task for Margin {
    type Input = Text;
    type Options = ();
    type Part = f32;
    type Answer = f32;

    const NAME: &'static str = "margin";
    const HEADS: &'static [Head] = &[];

    fn answers(head: Head) -> bool {
        head.name() == "without-pooler"
    }

    fn new(model: Arc<TaskModel>, (): ()) -> Result<Self, TaskError> {
        Ok(Self(model))
    }

    fn encode(&self, input: &Text) -> Result<Vec<Row>, TaskError> {
        let length = self.0.max_length(None);
        Ok(vec![
            self.0.tokenizer.encode(&input.text, None, length)?.into(),
        ])
    }

    fn decode(&self, _: &Text, _: &Row, outputs: &RowOutputs<'_>) -> Result<f32, TaskError> {
        let scores = outputs.named::<Ix1>("scores")?;
        Ok(scores[1] - scores[0])
    }

    fn join(&self, _: &Text, parts: Vec<f32>) -> f32 {
        parts.into_iter().sum()
    }
}
