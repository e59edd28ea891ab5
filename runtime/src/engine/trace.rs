//! The trace of a session, a list of complete events in Chrome's trace event format: ONNX Runtime
//! writes it, and the runs of other engines are written in the same form.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::profile::{NodeProfile, Profile};

const NODE: &str = "Node";
/// The suffix of a node's name in the event of its computation.
const COMPUTED: &str = "_kernel_time";
const SESSION: &str = "Session";
const RUN: &str = "model_run";

/// An event with its duration.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Event {
    cat: String,
    name: String,
    /// The kind of event: `X`, a complete one.
    #[serde(default)]
    ph: String,
    #[serde(default)]
    pid: u64,
    /// The thread that computed.
    #[serde(default)]
    tid: u64,
    /// When it began, in microseconds.
    #[serde(default)]
    ts: f64,
    /// How long it took, in microseconds.
    #[serde(default)]
    dur: f64,
    #[serde(default)]
    args: Args,
}

/// The operator of a node and the provider that computed it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Args {
    #[serde(skip_serializing_if = "Option::is_none")]
    op_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
}

#[cfg(any(feature = "openvino", feature = "tract"))]
impl Event {
    /// A whole run on a thread; `begin` is counted from the start of the trace.
    pub(super) fn run(thread: u64, begin: Duration, took: Duration) -> Self {
        Self::new(SESSION, RUN.to_owned(), thread, begin, took)
    }

    /// The computation of a node, within a run on the same thread.
    pub(super) fn node(
        name: &str,
        op_type: &str,
        provider: &str,
        thread: u64,
        begin: Duration,
        took: Duration,
    ) -> Self {
        let args = Args {
            op_name: Some(op_type.to_owned()),
            provider: Some(provider.to_owned()),
        };
        Self {
            args,
            ..Self::new(NODE, format!("{name}{COMPUTED}"), thread, begin, took)
        }
    }

    fn new(cat: &str, name: String, thread: u64, begin: Duration, took: Duration) -> Self {
        Self {
            cat: cat.to_owned(),
            name,
            ph: "X".to_owned(),
            pid: u64::from(std::process::id()),
            tid: thread,
            ts: begin.as_secs_f64() * 1e6,
            dur: took.as_secs_f64() * 1e6,
            args: Args::default(),
        }
    }
}

/// The runs and nodes of a trace.
pub(super) fn profile(events: Vec<Event>) -> Profile {
    let mut ranges: Vec<&Event> = events
        .iter()
        .filter(|it| it.cat == SESSION && it.name == RUN)
        .collect();
    ranges.sort_by(|a, b| a.ts.total_cmp(&b.ts));
    let runs = Runs::of(&ranges);
    let times = ranges.iter().map(|it| duration(it.dur)).collect();
    let count = ranges.len();

    let mut indices: HashMap<(String, String, String), usize> = HashMap::new();
    let mut nodes: Vec<NodeProfile> = Vec::new();
    for event in events.iter().filter(|it| it.cat == NODE) {
        let (Some(node), Some(op_type), Some(provider)) = (
            event.name.strip_suffix(COMPUTED),
            &event.args.op_name,
            &event.args.provider,
        ) else {
            continue;
        };
        let key = (node.to_owned(), op_type.clone(), provider.clone());
        let index = *indices.entry(key).or_insert_with_key(|key| {
            let (node, op_type, provider) = key.clone();
            nodes.push(NodeProfile {
                node,
                op_type,
                provider,
                calls: 0,
                times: vec![Duration::ZERO; count],
            });
            nodes.len() - 1
        });
        let node = &mut nodes[index];
        node.calls += 1;
        if let Some(run) = runs.around(event) {
            node.times[run] += duration(event.dur);
        }
    }
    Profile {
        files: Vec::new(),
        runs: times,
        nodes,
    }
}

/// Runs by thread and beginning; those on one thread don't overlap.
struct Runs(HashMap<u64, BTreeMap<u64, (u64, usize)>>);

impl Runs {
    fn of(ranges: &[&Event]) -> Self {
        let mut runs: HashMap<u64, BTreeMap<u64, (u64, usize)>> = HashMap::new();
        for (index, run) in ranges.iter().enumerate() {
            let (begin, end) = (nanoseconds(run.ts), nanoseconds(run.ts + run.dur));
            runs.entry(run.tid).or_default().insert(begin, (end, index));
        }
        Self(runs)
    }

    /// The run that an event belongs to.
    fn around(&self, event: &Event) -> Option<usize> {
        let begin = nanoseconds(event.ts);
        let (_, (end, index)) = self.0.get(&event.tid)?.range(..=begin).next_back()?;
        (begin <= *end).then_some(*index)
    }
}

fn nanoseconds(microseconds: f64) -> u64 {
    // A negative or infinite number, which no engine writes, becomes the nearest integer that fits.
    (microseconds * 1e3).round() as u64
}

fn duration(microseconds: f64) -> Duration {
    Duration::from_nanos(nanoseconds(microseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, provider: &str, ts: f64, dur: f64) -> String {
        format!(
            r#"{{"cat": "Node", "name": "{name}_kernel_time", "tid": 7, "ts": {ts}, "dur": {dur},
                 "args": {{"op_name": "MatMul", "provider": "{provider}"}}}}"#
        )
    }

    fn run(ts: f64, dur: f64) -> String {
        format!(
            r#"{{"cat": "Session", "name": "model_run", "tid": 7, "ts": {ts}, "dur": {dur},
                 "args": {{}}}}"#
        )
    }

    fn read(events: &[String]) -> Profile {
        profile(serde_json::from_str(&format!("[{}]", events.join(","))).unwrap())
    }

    #[test]
    fn a_node_of_many_runs_is_listed_once_with_its_time_in_each() {
        let cuda = "CUDAExecutionProvider";
        let found = read(&[
            node("a", cuda, 10.0, 3.0),
            node("b", "CPUExecutionProvider", 14.0, 5.0),
            run(9.0, 12.0),
            node("a", cuda, 30.0, 4.0),
            node("a", cuda, 35.0, 0.5),
            run(29.0, 8.0),
        ]);
        let us = |it: f64| Duration::from_nanos((it * 1e3) as u64);
        assert_eq!(found.runs, [us(12.0), us(8.0)]);
        let nodes: Vec<_> = found
            .nodes
            .iter()
            .map(|it| (it.node.as_str(), it.calls, it.times.clone()))
            .collect();
        assert_eq!(
            nodes,
            [
                ("a", 3, vec![us(3.0), us(4.5)]),
                ("b", 1, vec![us(5.0), us(0.0)])
            ]
        );
        assert_eq!(
            found.providers(),
            [("CUDAExecutionProvider", 1), ("CPUExecutionProvider", 1)]
        );
    }

    #[test]
    fn a_node_outside_of_all_runs_is_listed_without_a_time() {
        let found = read(&[
            run(9.0, 12.0),
            node("cut short", "CPUExecutionProvider", 22.0, 3.0),
        ]);
        assert_eq!(found.nodes[0].times, [Duration::ZERO]);
    }

    #[test]
    fn a_trace_that_was_cut_short_is_an_error() {
        let cut = r#"[{"cat": "Node", "name": "a_kernel"#;
        assert!(serde_json::from_str::<Vec<Event>>(cut).is_err());
    }
}
