use nezha_graphs::{Config, GraphOptions, Head, Precision};

use super::config_json::of_class;
use super::{Layout, LayoutError, Rules, TritonOptions};
use crate::export::Placement;
use crate::export::tokenizer::TokenizerFolder;
use crate::nezha::heads::Stack;

/// transformers.js.
pub(super) struct TransformersJs;

impl Rules for TransformersJs {
    fn name(&self) -> &'static str {
        "transformersjs"
    }

    fn stack(&self) -> Option<Stack> {
        Some(Stack::TransformersJs)
    }

    fn model_folder(&self) -> &'static str {
        "onnx"
    }

    fn file_name(&self, precision: Precision, stem: &str) -> String {
        match precision {
            // The name for its `dtype: 'q8'`, which is its default in WebAssembly.
            Precision::Int8 => format!("{stem}_quantized.onnx"),
            _ => precision.file_name(stem),
        }
    }

    fn placement(&self) -> Option<Placement> {
        // It looks for no other files.
        Some(Placement::Embedded)
    }

    fn feeds_itself(&self) -> bool {
        true
    }

    fn refusal(&self, precision: Precision, _: TritonOptions) -> Option<&'static str> {
        match precision {
            Precision::Q8 => {
                Some("its q8 is model_quantized.onnx, which is what int8 is called there")
            }
            Precision::W8 => {
                Some("it has no name for such a file: its small model is that of int8")
            }
            _ => None,
        }
    }

    fn check(&self, _: &GraphOptions, weights: Placement) -> Result<(), LayoutError> {
        match weights {
            Placement::External => Err(LayoutError::Weights {
                layout: Layout::TransformersJs,
                expected: "embedded: it looks for no other names",
            }),
            _ => Ok(()),
        }
    }

    fn complete_tokenizer(&self, tokenizer: &mut TokenizerFolder) {
        // The stack has no default tokens.
        tokenizer.name_roles();
    }

    /// transformers.js doesn't know NEZHA, but it treats the outputs of a BERT in the same way, and
    /// inputs and outputs have the same names.
    fn config_json(&self, text: &str, known: &Config, head: Head) -> String {
        let class = head.transformers_class().unwrap_or_default();
        of_class(text, known, "bert", &class.replace("Nezha", "Bert"))
    }
}
