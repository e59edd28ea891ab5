//! Classifies texts of many clients at the same time: they share one pipeline by reference.
//!
//! ```text
//! nezha export models/nezha-tiny-zh-sentiment -o out
//! cargo run --release --example classify -- out
//! ```
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example prints its answers"
)]

use std::num::NonZeroUsize;
use std::thread;

use nezha_onnx::runtime::{EngineOptions, OrtOptions, TextClassification};

const REVIEWS: [[&str; 2]; 3] = [
    ["房间很干净，服务热情，下次还会住。", "位置好，早餐也不错。"],
    ["屏幕有坏点，客服不理人，后悔买了。", "电池一天都用不了。"],
    ["这家酒店的服务太差了，房间又脏又吵。", "值得推荐。"],
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("expected an exported folder")?;
    let engine = EngineOptions::default()
        .ort(OrtOptions::default().sessions(NonZeroUsize::new(2).ok_or("no session")?));
    let classifier = TextClassification::builder()
        .engine_options(engine.clone())
        .load(folder)?;
    eprintln!("{}", classifier.session().engine().description());
    thread::scope(|scope| {
        for (client, reviews) in REVIEWS.iter().enumerate() {
            let classifier = &classifier;
            scope.spawn(move || {
                for (review, answer) in reviews.iter().zip(classifier.stream(reviews)) {
                    match answer {
                        Ok(labels) => println!("client {client}: {review} {labels:?}"),
                        Err(error) => println!("client {client}: {review} {error}"),
                    }
                }
            });
        }
    });
    Ok(())
}
