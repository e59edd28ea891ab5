#[cfg(feature = "ort")]
use std::collections::HashSet;
use std::path::PathBuf;

use serde::Serialize;

/// What ONNX Runtime recorded of the runs between a session's start and the end of its profiling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The files, one per session, for `chrome://tracing` or Perfetto.
    pub files: Vec<PathBuf>,
    /// Which execution provider computed which node, in the order of the first run.
    pub placement: Vec<NodePlacement>,
}

impl Profile {
    /// The profiles of several sessions of one model as one.
    #[cfg(feature = "ort")]
    pub(super) fn joined(profiles: Vec<Profile>) -> Profile {
        let mut seen = HashSet::new();
        let (files, placements): (Vec<_>, Vec<_>) = profiles
            .into_iter()
            .map(|it| (it.files, it.placement))
            .unzip();
        let placement = placements.into_iter().flatten();
        Profile {
            files: files.concat(),
            placement: placement.filter(|node| seen.insert(node.clone())).collect(),
        }
    }

    /// How many nodes each execution provider computed, the first to compute one first.
    pub fn providers(&self) -> Vec<(&str, usize)> {
        let mut providers: Vec<(&str, usize)> = Vec::new();
        for node in &self.placement {
            match providers.iter_mut().find(|it| it.0 == node.provider) {
                Some((_, nodes)) => *nodes += 1,
                None => providers.push((&node.provider, 1)),
            }
        }
        providers
    }
}

/// A node of the graph as ONNX Runtime rewrote it, and what computed it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct NodePlacement {
    /// The node's name; a fused node has one of its own.
    pub node: String,
    /// The operator.
    pub op_type: String,
    /// The execution provider, such as `CPUExecutionProvider`.
    pub provider: String,
}

/// The nodes in the text of a profile, each once.
#[cfg(feature = "ort")]
pub(super) fn placement(profile: &str) -> serde_json::Result<Vec<NodePlacement>> {
    #[derive(serde::Deserialize)]
    struct Event {
        cat: String,
        name: String,
        #[serde(default)]
        args: Args,
    }
    #[derive(Default, serde::Deserialize)]
    struct Args {
        op_name: Option<String>,
        provider: Option<String>,
    }
    let events: Vec<Event> = serde_json::from_str(profile)?;
    let mut seen = HashSet::new();
    let nodes = events.into_iter().filter(|event| event.cat == "Node");
    Ok(nodes
        .filter_map(|event| {
            Some(NodePlacement {
                node: event.name.strip_suffix("_kernel_time")?.to_owned(),
                op_type: event.args.op_name?,
                provider: event.args.provider?,
            })
        })
        .filter(|node| seen.insert(node.clone()))
        .collect())
}

#[cfg(all(test, feature = "ort"))]
mod tests {
    use super::*;

    #[test]
    fn a_node_of_many_runs_is_listed_once_with_its_provider() {
        let node = |name: &str, provider: &str| {
            format!(
                r#"{{"cat": "Node", "name": "{name}", "dur": 3,
                     "args": {{"op_name": "MatMul", "provider": "{provider}"}}}}"#
            )
        };
        let profile = format!(
            r#"[{{"cat": "Session", "name": "model_run", "dur": 9, "args": {{}}}}, {}, {}, {}]"#,
            node("a_kernel_time", "CUDAExecutionProvider"),
            node("b_kernel_time", "CPUExecutionProvider"),
            node("a_kernel_time", "CUDAExecutionProvider"),
        );
        let profile = Profile {
            files: Vec::new(),
            placement: placement(&profile).unwrap(),
        };
        let nodes: Vec<&str> = profile
            .placement
            .iter()
            .map(|it| it.node.as_str())
            .collect();
        assert_eq!(nodes, ["a", "b"]);
        assert_eq!(
            profile.providers(),
            [("CUDAExecutionProvider", 1), ("CPUExecutionProvider", 1)]
        );
    }

    #[test]
    fn a_profile_that_was_cut_short_is_an_error() {
        assert!(placement(r#"[{"cat": "Node", "name": "a_kernel"#).is_err());
    }
}
