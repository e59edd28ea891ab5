use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::recorder::Step;
use crate::native::openvino::NodeTime;

/// Computes the times of single runs from those that OpenVINO reports, which are means over all
/// runs of the compiled model.
///
/// The means are whole microseconds, so a node's time in the n-th run may be n microseconds off.
/// The next run corrects it, so that the sum over all runs is right.
#[derive(Default)]
pub(super) struct Times(Mutex<Told>);

#[derive(Default)]
struct Told {
    runs: u32,
    /// The sum of the times that were returned for each node.
    nodes: HashMap<String, Duration>,
}

impl Times {
    /// The nodes of the run that has just ended, one after the other: OpenVINO doesn't say when
    /// each began.
    pub(super) fn of_run<'n>(&self, means: &'n [NodeTime], begin: Instant) -> Vec<Step<'n>> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.runs += 1;
        let runs = told.runs;
        let mut begin = begin;
        let step = |node: &'n NodeTime| {
            let sum = told.nodes.entry(node.name.clone()).or_default();
            let took = (node.mean * runs).saturating_sub(*sum);
            *sum += took;
            let step = Step {
                node: &node.name,
                op_type: node.op_type.clone(),
                begin,
                took,
            };
            begin += took;
            step
        };
        means.iter().map(step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_become_the_times_of_runs_one_node_after_the_other() {
        let times = Times::default();
        let micros = Duration::from_micros;
        // The means of runs that took 90, 10 and 20 µs, and 9, 10 and 12 µs.
        for (means, expected) in [([90, 9], [90, 9]), ([50, 9], [10, 9]), ([40, 10], [20, 12])] {
            let node = |(name, mean): (&str, u64)| NodeTime {
                name: name.to_owned(),
                op_type: String::new(),
                mean: micros(mean),
            };
            let means = [node(("a", means[0])), node(("b", means[1]))];
            let begin = Instant::now();
            let steps = times.of_run(&means, begin);
            let took: Vec<Duration> = steps.iter().map(|it| it.took).collect();
            assert_eq!(took, expected.map(micros));
            assert_eq!(steps[1].begin, begin + took[0]);
        }
    }
}
