use nezha_graphs::{Config, Head};

use super::Rules;
use super::config_json::of_class;
use crate::nezha::heads::Stack;

/// Hugging Face Optimum's `ORTModelFor…`.
pub(super) struct Optimum;

impl Rules for Optimum {
    fn name(&self) -> &'static str {
        "optimum"
    }

    fn stack(&self) -> Option<Stack> {
        Some(Stack::Optimum)
    }

    fn config_json(&self, text: &str, known: &Config, head: Head) -> String {
        let class = head.transformers_class().unwrap_or_default();
        of_class(text, known, "nezha", class)
    }
}
