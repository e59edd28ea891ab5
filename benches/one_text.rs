//! One text of 64 tokens through a pipeline, one thread: what `benches/python_overhead.py` compares with.
//!
//! `cargo bench --bench one_text -- FOLDER [RUNS]`, where FOLDER holds an exported sequence
//! classifier. A turn has RUNS runs, 100 by default.
#![allow(clippy::print_stdout, reason = "a bench prints what it measures")]

use std::error::Error;
use std::fs;

use nezha_onnx::runtime::TextClassification;

/// Turns, of which the least and the median are told.
const TURNS: usize = 30;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).filter(|it| it != "--bench");
    let folder = arguments.next().ok_or("expected the folder of a model")?;
    let runs = arguments.next().map_or(Ok(100), |it| it.parse::<u32>())?;
    let classifier = TextClassification::builder().threads(1).load(folder)?;
    // 62 characters, `[CLS]` and `[SEP]`.
    let text = "房间很干净，服务热情，下次还会住。".repeat(4);
    let text: String = text.chars().take(62).collect();
    let mut turns = Vec::new();
    for _ in 0..TURNS {
        let begin = thread_time()?;
        for _ in 0..runs {
            classifier.run([text.as_str()])?;
        }
        turns.push((thread_time()? - begin) / f64::from(runs));
    }
    turns.sort_by(f64::total_cmp);
    let engine = classifier.session().engine().description();
    let [least, median] = [0, TURNS / 2].map(|it| turns.get(it).copied().unwrap_or(f64::NAN));
    println!("{engine}: median {median:.1} µs, least {least:.1} µs");
    Ok(())
}

/// Microseconds that this thread has computed: the engine computes in it, and other programs change its
/// own time least. Linux alone tells it without a library.
fn thread_time() -> Result<f64, Box<dyn Error>> {
    let times = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = times.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e3)
}
