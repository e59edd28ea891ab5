//! The results of a profile, as `--json` writes them.
//!
//! This file is the schema: if a field changes its meaning or is removed, [`SCHEMA`] changes.

use std::collections::BTreeMap;
use std::time::Duration;

use nezha_runtime::{EngineKind, NodeProfile, Profile};
use serde::Serialize;

use super::groups::{self, Groups, Placed};
use super::part::Group;
use crate::Machine;

/// The document's kind and version.
pub const SCHEMA: &str = "nezha-profile/1";

/// The results of one `nezha profile`. Times are means over the runs that count, in milliseconds.
/// Shares are of `run_ms`, from 0 to 1; those of all groups and of `unaccounted` add up to 1.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// This program's version.
    pub nezha: &'static str,
    /// When it began, in RFC 3339, UTC.
    pub started: String,
    /// The machine that it ran on.
    pub machine: Machine,
    /// What was run, and how.
    pub method: Method,
    /// The mean time of a run with profiling, as the engine measures it.
    pub run_ms: f64,
    /// The median time of as many runs without profiling, because profiling takes time.
    pub unprofiled_run_ms: f64,
    /// The parts of the model, the longest first.
    pub groups: Vec<GroupTime>,
    /// The time of a run that belongs to no operator: between, before and after the operators.
    pub unaccounted: Time,
    /// All operators, the longest first.
    pub operators: Vec<OperatorTime>,
}

/// What was run, and how.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Method {
    /// The model file, as it was named.
    pub model: String,
    /// The engine's name, such as `ort:cpu` or `tract`.
    pub engine: &'static str,
    /// The engine's description, with its version.
    pub description: String,
    /// Texts in the batch.
    pub batch: usize,
    /// Tokens of each text, which are random.
    pub sequence: usize,
    /// Runs that count.
    pub runs: usize,
    /// Warm-up runs before those.
    pub warm_up_runs: usize,
}

/// The time that something takes.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct Time {
    /// Milliseconds of each run.
    pub ms: f64,
    /// Its share of `run_ms`.
    pub share: f64,
}

/// A part of the model.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct GroupTime {
    /// Its name; `other` contains the operators whose module is unknown.
    pub group: String,
    /// The time of its operators.
    #[serde(flatten)]
    pub time: Time,
    /// The number of its operators.
    pub operators: usize,
}

/// A node of the graph as the engine has rewritten it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct OperatorTime {
    /// The engine's name of the node.
    pub name: String,
    /// The same node in the model, or the last of the nodes that were fused into it; null if
    /// unknown.
    pub origin: Option<String>,
    /// The part of the model that it belongs to.
    pub group: String,
    /// The operator, such as `MatMul`.
    pub op_type: String,
    /// The execution provider; an engine without providers gives its own name.
    pub provider: String,
    /// The time that it takes.
    #[serde(flatten)]
    pub time: Time,
    /// How often it is computed in each run.
    pub calls: f64,
}

/// The times in a profile, without the warm-up.
pub(super) struct Times {
    pub run_ms: f64,
    pub groups: Vec<GroupTime>,
    pub unaccounted: Time,
    pub operators: Vec<OperatorTime>,
}

impl Times {
    /// The times of a profile with more than `warm_up` runs.
    ///
    /// Nodes that the engine named itself are placed by their neighbours.
    pub(super) fn of(
        profile: &Profile,
        groups: &Groups,
        warm_up: usize,
        engine: EngineKind,
    ) -> Self {
        let run_ms = mean_ms(&profile.runs[warm_up..]);
        let time = |ms: f64| Time {
            ms,
            share: ms / run_ms,
        };
        let mut sums: BTreeMap<Group, (f64, usize)> = BTreeMap::new();
        let mut operators: Vec<OperatorTime> = Vec::new();
        let nodes = profile.nodes.iter();
        let mut places: Vec<(&str, Placed)> = nodes
            .map(|it| (it.op_type.as_str(), groups.place(&it.node)))
            .collect();
        if engine.spec().capabilities.names_nodes {
            groups::place_by_neighbours(&mut places);
        }
        for (node, (_, placed)) in profile.nodes.iter().zip(places) {
            let NodeProfile {
                node: name,
                op_type,
                provider,
                calls,
                times,
            } = node;
            let ms = mean_ms(&times[warm_up..]);
            operators.push(OperatorTime {
                name: name.clone(),
                origin: placed.origin,
                group: placed.group.to_string(),
                op_type: op_type.clone(),
                provider: provider.clone(),
                time: time(ms),
                calls: *calls as f64 / profile.runs.len() as f64,
            });
            let sum = sums.entry(placed.group).or_default();
            *sum = (sum.0 + ms, sum.1 + 1);
        }
        operators.sort_by(|a, b| b.time.ms.total_cmp(&a.time.ms));
        let computed: f64 = sums.values().map(|it| it.0).sum();
        let mut groups: Vec<GroupTime> = sums
            .into_iter()
            .map(|(group, (ms, operators))| GroupTime {
                group: group.to_string(),
                time: time(ms),
                operators,
            })
            .collect();
        groups.sort_by(|a, b| b.time.ms.total_cmp(&a.time.ms));
        Self {
            run_ms,
            groups,
            unaccounted: time(run_ms - computed),
            operators,
        }
    }
}

fn mean_ms(times: &[Duration]) -> f64 {
    let sum: Duration = times.iter().sum();
    1e3 * sum.as_secs_f64() / times.len() as f64
}
