use nezha_graphs::{Config, GraphOption, GraphOptions, Head, Precision, Role, Signature};
use serde_json::json;

use super::config_json::of_class;
use super::{Holds, Layout, LayoutError, Rules, TritonOptions};
use crate::export::Placement;
use crate::export::tokenizer::{TOKENIZER_JSON, TokenizerFolder};
use crate::nezha::heads::Stack;

/// text-embeddings-inference.
pub(super) struct Tei;

impl Rules for Tei {
    fn name(&self) -> &'static str {
        "tei"
    }

    fn stack(&self) -> Option<Stack> {
        Some(Stack::Tei)
    }

    fn holds(&self) -> Holds {
        Holds::OneModel
    }

    fn file_name(&self, _: Precision, stem: &str) -> String {
        // The stack accepts no other name.
        format!("{stem}.onnx")
    }

    fn feeds_itself(&self) -> bool {
        true
    }

    fn check(&self, options: &GraphOptions, _: Placement) -> Result<(), LayoutError> {
        match options.pooling {
            Some(_) => Err(Layout::Tei.excludes(
                GraphOption::Pooling,
                "the stack pools last_hidden_state itself",
            )),
            None => Ok(()),
        }
    }

    fn check_tokenizer(&self, tokenizer: &TokenizerFolder) -> Result<(), LayoutError> {
        match tokenizer.get(TOKENIZER_JSON) {
            Some(_) => Ok(()),
            None => Err(LayoutError::NoTokenizer {
                layout: Layout::Tei,
            }),
        }
    }

    fn config_json(&self, text: &str, known: &Config, head: Head) -> String {
        let class = head.transformers_class().unwrap_or_default();
        of_class(text, known, "nezha", class)
    }

    fn more_files(
        &self,
        config: &Config,
        _: (Head, Precision),
        signature: &Signature,
        _: TritonOptions,
    ) -> Vec<(String, String)> {
        let mut outputs = signature.outputs.iter();
        if !outputs.any(|port| port.role == Role::LastHiddenState) {
            return Vec::new();
        }
        // The pooling that the stack then applies itself.
        let pooling = json!({
            "word_embedding_dimension": config.hidden_size,
            "pooling_mode_cls_token": false,
            "pooling_mode_mean_tokens": true,
            "pooling_mode_max_tokens": false,
            "pooling_mode_mean_sqrt_len_tokens": false,
        });
        vec![("1_Pooling/config.json".to_owned(), format!("{pooling:#}\n"))]
    }
}
