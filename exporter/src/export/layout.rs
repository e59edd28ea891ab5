//! How the files of an export lie for the stack that loads them.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nezha_graphs::{
    Config, Gather, GraphOption, GraphOptions, Head, MaskSource, Precision, Role, Signature,
};
use serde_json::json;

use super::tokenizer::{TOKENIZER_JSON, TokenizerFolder};
use super::triton::{config_pbtxt, model_name};
use super::{ExportOptions, Placement, TritonOptions};
use crate::nezha::heads::{self, Stack};

/// A folder as some stack expects it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layout {
    /// Everything in one folder: the contract's own.
    #[default]
    Plain,
    /// Hugging Face Optimum's `ORTModelFor…`: one head as `model.onnx`, `config.json` beside it.
    Optimum,
    /// transformers.js: `onnx/model.onnx`, `onnx/model_fp16.onnx`, in int8 `onnx/model_quantized.onnx`,
    /// `onnx/model_q4.onnx`, and a `config.json` of a model type that it knows.
    TransformersJs,
    /// text-embeddings-inference: `model.onnx`, and for embeddings `1_Pooling/config.json`.
    Tei,
    /// A Triton model repository: `nezha-<head>/1/model.onnx` and `nezha-<head>/config.pbtxt`; in
    /// other precisions than fp32 `nezha-<head>-<precision>`.
    Triton,
    /// OpenVINO: one head as `model.onnx`, in the form of the graph that it computes fastest, see
    /// [`Gather`].
    OpenVino,
}

/// Why an export can't have a layout.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutError {
    /// Several heads where the stack finds one model in a folder.
    #[error(
        "layout {layout} holds one head, and {found} were asked for: export each to a folder of its own"
    )]
    SeveralHeads {
        /// The layout.
        layout: Layout,
        /// How many heads.
        found: usize,
    },
    /// Several precisions where the stack finds one model in a folder.
    #[error(
        "layout {layout} holds one precision, and {found} were asked for: export each to a folder of its own"
    )]
    SeveralPrecisions {
        /// The layout.
        layout: Layout,
        /// How many precisions.
        found: usize,
    },
    /// Two models of one name.
    #[error("layout {layout} would call two of the precisions '{name}': leave one out")]
    SameName {
        /// The layout.
        layout: Layout,
        /// The file.
        name: String,
    },
    /// A precision that the stack can't load.
    #[error("layout {layout} and precision {precision} exclude each other: {reason}")]
    Precision {
        /// The layout.
        layout: Layout,
        /// The precision.
        precision: Precision,
        /// Why.
        reason: &'static str,
    },
    /// A head that the stack has no class for.
    #[error("layout {layout} has no place for the {head} head: it loads {known}")]
    Head {
        /// The layout.
        layout: Layout,
        /// The head.
        head: Head,
        /// The heads it loads.
        known: String,
    },
    /// Weights where the stack does not look.
    #[error("layout {layout} wants the weights {expected}")]
    Weights {
        /// The layout.
        layout: Layout,
        /// Where they may be.
        expected: &'static str,
    },
    /// The checkpoint's own folder, whose `config.json` stays as it is.
    #[error(
        "layout {layout} writes a config.json of its own: choose another folder than the checkpoint's"
    )]
    CheckpointFolder {
        /// The layout.
        layout: Layout,
    },
    /// A stack that starts with no tokenizer but `tokenizer.json`.
    #[error(
        "the {layout} layout needs a tokenizer.json, which the checkpoint has not: put the vocab.txt \
         that the model was trained with beside it, with all special tokens, and it is made"
    )]
    NoTokenizer {
        /// The layout.
        layout: Layout,
    },
    /// A graph that the stack can't feed or read.
    #[error("layout {layout} and option '{option}' exclude each other: {reason}")]
    Option {
        /// The layout.
        layout: Layout,
        /// The option.
        option: LayoutOption,
        /// Why.
        reason: &'static str,
    },
}

/// An option of an export that a layout may have no place for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LayoutOption {
    /// One of the graph's.
    Graph(GraphOption),
    /// [`TritonOptions::tensorrt`].
    TensorRt,
}

impl fmt::Display for LayoutOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayoutOption::Graph(option) => option.fmt(f),
            LayoutOption::TensorRt => f.write_str("tensorrt"),
        }
    }
}

impl Layout {
    /// All layouts.
    pub const ALL: [Layout; 6] = [
        Layout::Plain,
        Layout::Optimum,
        Layout::TransformersJs,
        Layout::Tei,
        Layout::Triton,
        Layout::OpenVino,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Plain => "plain",
            Layout::Optimum => "optimum",
            Layout::TransformersJs => "transformersjs",
            Layout::Tei => "tei",
            Layout::Triton => "triton",
            Layout::OpenVino => "openvino",
        }
    }

    /// The folders to write below `folder`, and the models of each.
    pub(super) fn folders(
        self,
        folder: &Path,
        models: Vec<(Head, Precision)>,
    ) -> Vec<(PathBuf, Vec<(Head, Precision)>)> {
        match self {
            Layout::Triton => models
                .into_iter()
                .map(|(head, precision)| {
                    let name = model_name(head, precision);
                    (folder.join(name), vec![(head, precision)])
                })
                .collect(),
            _ => vec![(folder.to_owned(), models)],
        }
    }

    /// The file of a model whose name in single precision is `stem`.
    pub(super) fn file_name(self, precision: Precision, stem: &str) -> String {
        match (self, precision) {
            // They take no other name.
            (Layout::Tei | Layout::Triton, _) => format!("{stem}.onnx"),
            // Its `dtype: 'q8'`, which it takes in WebAssembly where nothing is said.
            (Layout::TransformersJs, Precision::Int8) => format!("{stem}_quantized.onnx"),
            _ => precision.file_name(stem),
        }
    }

    /// The subfolder that the `.onnx` and its weights are in, for a layout of one model.
    pub(super) fn model_folder(self) -> &'static str {
        match self {
            Layout::TransformersJs => "onnx",
            // A version of the model.
            Layout::Triton => "1",
            Layout::Plain | Layout::Optimum | Layout::Tei | Layout::OpenVino => "",
        }
    }

    /// The form that the stack computes fastest, where there is one.
    pub(super) fn gather(self) -> Option<Gather> {
        (self == Layout::OpenVino).then_some(Gather::Flat)
    }

    /// The stack, where it has classes for some heads only.
    fn stack(self) -> Option<Stack> {
        match self {
            Layout::Plain | Layout::Triton | Layout::OpenVino => None,
            Layout::Optimum => Some(Stack::Optimum),
            Layout::TransformersJs => Some(Stack::TransformersJs),
            Layout::Tei => Some(Stack::Tei),
        }
    }

    /// Whether the stack can run a head.
    fn has(self, head: Head) -> bool {
        let stack = self.stack();
        stack.is_none_or(|it| heads::of(head).stacks().contains(&it))
    }

    /// Whether these models can be exported so.
    pub(super) fn check(
        self,
        models: &[(Head, Precision)],
        options: &ExportOptions,
    ) -> Result<(), LayoutError> {
        self.check_precisions(models, options)?;
        if self == Layout::Plain {
            return Ok(());
        }
        if options.weights == Placement::Linked {
            return Err(LayoutError::Weights {
                layout: self,
                expected: "in its own folder: not linked",
            });
        }
        let heads: BTreeSet<Head> = models.iter().map(|(head, _)| *head).collect();
        if let Some(&head) = heads.iter().find(|it| !self.has(**it)) {
            let known = Head::ALL.into_iter().filter(|it| self.has(*it));
            let known: Vec<&str> = known.map(Head::name).collect();
            return Err(LayoutError::Head {
                layout: self,
                head,
                known: known.join(", "),
            });
        }
        if self != Layout::Triton && heads.len() != 1 {
            return Err(LayoutError::SeveralHeads {
                layout: self,
                found: heads.len(),
            });
        }
        if options.triton.tensorrt && options.graph.kv_cache {
            return Err(LayoutError::Option {
                layout: self,
                option: LayoutOption::TensorRt,
                reason: "the first step's cache is empty, which a shape profile can't be",
            });
        }
        self.check_options(&options.graph, options.weights)
    }

    /// Whether the stack can have this tokenizer.
    pub(super) fn check_tokenizer(self, tokenizer: &TokenizerFolder) -> Result<(), LayoutError> {
        match (self, tokenizer.get(TOKENIZER_JSON)) {
            (Layout::Tei, None) => Err(LayoutError::NoTokenizer { layout: self }),
            _ => Ok(()),
        }
    }

    fn check_precisions(
        self,
        models: &[(Head, Precision)],
        options: &ExportOptions,
    ) -> Result<(), LayoutError> {
        let precisions: BTreeSet<Precision> = models.iter().map(|(_, it)| *it).collect();
        if self == Layout::Tei && precisions.len() > 1 {
            return Err(LayoutError::SeveralPrecisions {
                layout: self,
                found: precisions.len(),
            });
        }
        let mut names = BTreeSet::new();
        for &precision in &precisions {
            if let Some(reason) = self.refusal(precision, options.triton) {
                return Err(LayoutError::Precision {
                    layout: self,
                    precision,
                    reason,
                });
            }
            let name = match self {
                Layout::Triton => precision.file_name("model"),
                _ => self.file_name(precision, "model"),
            };
            if !names.insert(name.clone()) {
                return Err(LayoutError::SameName { layout: self, name });
            }
        }
        Ok(())
    }

    /// Why the stack can't have a precision.
    fn refusal(self, precision: Precision, triton: TritonOptions) -> Option<&'static str> {
        use Precision::{Int8, Q4, Q8, W8};
        match (self, precision) {
            (Layout::TransformersJs, Q8) => {
                Some("what it calls q8 is model_quantized.onnx, which int8 is called there")
            }
            (Layout::TransformersJs, W8) => {
                Some("it has no name for such a file: its small model is that of int8")
            }
            (Layout::Triton, Int8 | W8 | Q8 | Q4) if triton.tensorrt => {
                Some("TensorRT has no operators for quantized graphs: leave it out")
            }
            _ => None,
        }
    }

    fn check_options(self, options: &GraphOptions, weights: Placement) -> Result<(), LayoutError> {
        let exclude = |option, reason| {
            Err(LayoutError::Option {
                layout: self,
                option: LayoutOption::Graph(option),
                reason,
            })
        };
        let changed = [
            (GraphOption::Rename, !options.rename.is_empty()),
            (GraphOption::Int32Inputs, options.int32_inputs),
            (GraphOption::Mask, options.mask != MaskSource::Tokens),
            (GraphOption::TokenTypes, !options.token_types),
        ];
        let changed = changed.into_iter().find(|(_, on)| *on);
        if let (Some(_), Some((option, _))) = (self.stack(), changed) {
            return exclude(
                option,
                "the stack gives input_ids, attention_mask and token_type_ids in int64, and reads the \
                 contract's outputs",
            );
        }
        let stack_feeds = matches!(self, Layout::TransformersJs | Layout::Tei);
        let asked = [
            (GraphOption::InputsEmbeds, options.inputs_embeds),
            (GraphOption::HeadMask, options.head_mask),
        ];
        if stack_feeds && let Some((option, _)) = asked.into_iter().find(|(_, on)| *on) {
            return exclude(option, "the stack gives ids, mask and types");
        }
        if stack_feeds && options.loss {
            return exclude(GraphOption::Loss, "the stack gives no labels");
        }
        if self == Layout::Tei && options.pooling.is_some() {
            return exclude(
                GraphOption::Pooling,
                "the stack pools last_hidden_state itself",
            );
        }
        if self == Layout::TransformersJs && weights == Placement::External {
            return Err(LayoutError::Weights {
                layout: self,
                expected: "embedded: it looks for no other names",
            });
        }
        Ok(())
    }

    /// Files beside `config.json` and the tokenizer's: paths in the folder, and their texts.
    pub(super) fn more_files(
        self,
        config: &Config,
        (head, precision): (Head, Precision),
        options: &GraphOptions,
        triton: TritonOptions,
    ) -> Vec<(String, String)> {
        let signature = Signature::new(config, head, options);
        let gives = |role| signature.outputs.iter().any(|port| port.role == role);
        match self {
            // What it pools itself.
            Layout::Tei if gives(Role::LastHiddenState) => {
                let pooling = json!({
                    "word_embedding_dimension": config.hidden_size,
                    "pooling_mode_cls_token": false,
                    "pooling_mode_mean_tokens": true,
                    "pooling_mode_max_tokens": false,
                    "pooling_mode_mean_sqrt_len_tokens": false,
                });
                vec![("1_Pooling/config.json".to_owned(), format!("{pooling:#}\n"))]
            }
            Layout::Triton => {
                let text = config_pbtxt(&model_name(head, precision), &signature, triton);
                vec![("config.pbtxt".to_owned(), text)]
            }
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Layout {
    type Err = UnknownLayout;

    fn from_str(name: &str) -> Result<Self, UnknownLayout> {
        Self::ALL
            .into_iter()
            .find(|layout| layout.name() == name)
            .ok_or_else(|| UnknownLayout(name.to_owned()))
    }
}

/// A name that is no layout's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown layout '{0}'; there are plain, optimum, transformersjs, tei, triton, openvino")]
pub struct UnknownLayout(
    /// The name that was given.
    pub String,
);
