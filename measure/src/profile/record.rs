//! What a profile found, as `--json` writes it.
//!
//! The schema is this file: a field that changes its meaning or goes changes [`SCHEMA`].

use std::collections::BTreeMap;
use std::time::Duration;

use nezha_runtime::{EngineKind, NodeProfile, Profile};
use serde::Serialize;

use super::groups::{self, Groups, Placed};
use super::part::Group;
use crate::Machine;

/// The document's kind and version.
pub const SCHEMA: &str = "nezha-profile/1";

/// One `nezha profile`. Times are means over the runs that count, in milliseconds; shares are of
/// `run_ms`, from 0 to 1, and those of all groups and of `unaccounted` come to 1.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// This program's version.
    pub nezha: &'static str,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// Where it ran.
    pub machine: Machine,
    /// What was run, and how.
    pub method: Method,
    /// A run with profiling, as the engine clocks it.
    pub run_ms: f64,
    /// The median of as many runs without profiling, which costs time.
    pub unprofiled_run_ms: f64,
    /// The longest first.
    pub groups: Vec<GroupTime>,
    /// What of a run is no operator's time: between the operators, before and after them.
    pub unaccounted: Time,
    /// All of them, the longest first.
    pub operators: Vec<OperatorTime>,
}

/// What was run, and how.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Method {
    /// The file, as it was named.
    pub model: String,
    /// `ort:cpu`, `tract`, ….
    pub engine: &'static str,
    /// The engine in its own words, with its version.
    pub description: String,
    /// Texts in the batch.
    pub batch: usize,
    /// Tokens of each text, random ones.
    pub sequence: usize,
    /// Runs that count.
    pub runs: usize,
    /// Runs before those.
    pub warm_up_runs: usize,
}

/// How long something takes.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct Time {
    /// Of each run.
    pub ms: f64,
    /// Of `run_ms`.
    pub share: f64,
}

/// A part of the model.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct GroupTime {
    /// Its name; `other` has the operators that no module is known for.
    pub group: String,
    /// How long its operators take.
    #[serde(flatten)]
    pub time: Time,
    /// How many there are.
    pub operators: usize,
}

/// A node of the graph as the engine rewrote it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct OperatorTime {
    /// The engine's name for it.
    pub name: String,
    /// The node of the model that it is, or the last one that was fused into it; null where unknown.
    pub origin: Option<String>,
    /// The part of the model that it belongs to.
    pub group: String,
    /// The operator, such as `MatMul`.
    pub op_type: String,
    /// What computes it; tract has no execution providers and names itself.
    pub provider: String,
    /// How long it takes.
    #[serde(flatten)]
    pub time: Time,
    /// How often it is computed in each run.
    pub calls: f64,
}

/// The times in a profile, of the runs after the first few.
pub(super) struct Times {
    pub run_ms: f64,
    pub groups: Vec<GroupTime>,
    pub unaccounted: Time,
    pub operators: Vec<OperatorTime>,
}

impl Times {
    /// Of a profile with more than `warm_up` runs.
    ///
    /// Nodes that the engine named itself are placed by those around them.
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
