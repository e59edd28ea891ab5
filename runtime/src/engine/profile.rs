use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

/// What an engine recorded of the runs between a session's start and the end of its profiling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The files, one per session; `chrome://tracing` and Perfetto show them.
    pub files: Vec<PathBuf>,
    /// How long each run took, in the order in which the runs began; the runs of several sessions
    /// follow one another. ONNX Runtime stops recording after a million events.
    pub runs: Vec<Duration>,
    /// The nodes, in the order of the first run.
    pub nodes: Vec<NodeProfile>,
}

impl Profile {
    /// Joins the profiles of several sessions of one model.
    #[cfg(feature = "ort")]
    pub(super) fn joined(profiles: Vec<Profile>) -> Profile {
        let mut joined = Profile {
            files: Vec::new(),
            runs: Vec::new(),
            nodes: Vec::new(),
        };
        for profile in profiles {
            let before = joined.runs.len();
            joined.files.extend(profile.files);
            joined.runs.extend(profile.runs);
            for node in profile.nodes {
                joined.add(node, before);
            }
            let runs = joined.runs.len();
            for node in &mut joined.nodes {
                node.times.resize(runs, Duration::ZERO);
            }
        }
        joined
    }

    /// Adds a node whose runs follow `before` others.
    #[cfg(feature = "ort")]
    fn add(&mut self, mut node: NodeProfile, before: usize) {
        let known = self.nodes.iter_mut().find(|it| it.is(&node));
        match known {
            Some(known) => {
                known.calls += node.calls;
                known.times.append(&mut node.times);
            }
            None => {
                let mut times = vec![Duration::ZERO; before];
                times.append(&mut node.times);
                self.nodes.push(NodeProfile { times, ..node });
            }
        }
    }

    /// How many nodes each execution provider computed, in the order in which they first computed
    /// one.
    pub fn providers(&self) -> Vec<(&str, usize)> {
        let mut providers: Vec<(&str, usize)> = Vec::new();
        for node in &self.nodes {
            match providers.iter_mut().find(|it| it.0 == node.provider) {
                Some((_, nodes)) => *nodes += 1,
                None => providers.push((&node.provider, 1)),
            }
        }
        providers
    }
}

/// A node of the graph as the engine has rewritten it: what computed it, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeProfile {
    /// The node's name; a fused node may have a new name.
    pub node: String,
    /// The operator.
    pub op_type: String,
    /// The execution provider, such as `CPUExecutionProvider`; engines without providers give their
    /// own name.
    pub provider: String,
    /// How often it was computed in all runs together.
    pub calls: usize,
    /// How long it took in each of the runs. ONNX Runtime counts whole microseconds. OpenVINO
    /// reports the mean of all runs so far, so the time of a single run is uncertain by a few
    /// microseconds.
    pub times: Vec<Duration>,
}

impl NodeProfile {
    /// Whether it is the same node, regardless of its times.
    #[cfg(feature = "ort")]
    fn is(&self, other: &NodeProfile) -> bool {
        (&self.node, &self.op_type, &self.provider)
            == (&other.node, &other.op_type, &other.provider)
    }
}
