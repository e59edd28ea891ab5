use nezha_graphs::Gather;

use super::Rules;

/// OpenVINO.
pub(super) struct OpenVino;

impl Rules for OpenVino {
    fn name(&self) -> &'static str {
        "openvino"
    }

    fn gather(&self) -> Option<Gather> {
        Some(Gather::Flat)
    }
}
