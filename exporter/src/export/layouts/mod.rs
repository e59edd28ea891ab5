//! How the files of an export lie for the stack that loads them: a layout a file, and [`rules`], the list
//! of them.

mod check;
mod config_json;
mod error;
mod openvino;
mod optimum;
mod plain;
mod tei;
mod transformersjs;
mod triton;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nezha_graphs::{Config, Gather, GraphOptions, Head, Precision, Signature};

pub use error::{LayoutError, LayoutOption};
pub use triton::TritonOptions;

use super::Placement;
use super::tokenizer::TokenizerFolder;
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

/// What a layout wants; what most have in common is the default.
pub(super) trait Rules: Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// The stack, where it has classes for some heads only.
    fn stack(&self) -> Option<Stack> {
        None
    }

    /// How many heads and how many precisions it holds in a folder.
    fn holds(&self) -> Holds {
        Holds::OneHead
    }

    /// The folder of a model, where each has its own.
    fn folder(&self, _head: Head, _precision: Precision) -> Option<String> {
        None
    }

    /// The subfolder that the `.onnx` and its weights are in.
    fn model_folder(&self) -> &'static str {
        ""
    }

    /// The file of a model whose name in single precision is `stem`.
    fn file_name(&self, precision: Precision, stem: &str) -> String {
        precision.file_name(stem)
    }

    /// The form of the graph that the stack computes fastest, where there is one.
    fn gather(&self) -> Option<Gather> {
        None
    }

    /// Where the weights are stored by default; by their size if `None`.
    fn placement(&self) -> Option<Placement> {
        None
    }

    /// Whether the stack feeds the graph itself: ids, mask and types, and nothing else.
    fn feeds_itself(&self) -> bool {
        false
    }

    /// Why the stack can't have a precision.
    fn refusal(&self, _precision: Precision, _triton: TritonOptions) -> Option<&'static str> {
        None
    }

    /// Why the stack can't have what is asked for, beyond what holds for several layouts.
    fn check(&self, _options: &GraphOptions, _weights: Placement) -> Result<(), LayoutError> {
        Ok(())
    }

    /// Whether the stack has this tokenizer.
    fn check_tokenizer(&self, _tokenizer: &TokenizerFolder) -> Result<(), LayoutError> {
        Ok(())
    }

    /// Makes the tokenizer what the stack reads.
    fn complete_tokenizer(&self, _tokenizer: &mut TokenizerFolder) {}

    /// The text of `config.json`.
    fn config_json(&self, text: &str, _known: &Config, _head: Head) -> String {
        text.to_owned()
    }

    /// Files beside `config.json` and the tokenizer's: paths in the folder, and their texts.
    fn more_files(
        &self,
        _config: &Config,
        _model: (Head, Precision),
        _signature: &Signature,
        _triton: TritonOptions,
    ) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// What a folder of a layout has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Any heads, under their names, in any precisions.
    Anything,
    /// Any heads in any precisions, each in a folder of its own.
    Repositories,
    /// One head in several precisions.
    OneHead,
    /// One head in one precision.
    OneModel,
}

/// Whose rules a layout's are.
fn rules(layout: Layout) -> &'static dyn Rules {
    match layout {
        Layout::Plain => &plain::Plain,
        Layout::Optimum => &optimum::Optimum,
        Layout::TransformersJs => &transformersjs::TransformersJs,
        Layout::Tei => &tei::Tei,
        Layout::Triton => &triton::Triton,
        Layout::OpenVino => &openvino::OpenVino,
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
        self.rules().name()
    }

    /// What it wants.
    pub(super) fn rules(self) -> &'static dyn Rules {
        rules(self)
    }

    /// The folders to write below `folder`, and the models of each.
    pub(super) fn folders(
        self,
        folder: &Path,
        models: Vec<(Head, Precision)>,
    ) -> Vec<(PathBuf, Vec<(Head, Precision)>)> {
        if self.rules().holds() != Holds::Repositories {
            return vec![(folder.to_owned(), models)];
        }
        let own = |(head, precision)| {
            let name = self.rules().folder(head, precision).unwrap_or_default();
            (folder.join(name), vec![(head, precision)])
        };
        models.into_iter().map(own).collect()
    }

    /// Whether each model is called `model`, whatever its head.
    pub(super) fn names_no_head(self) -> bool {
        self.rules().holds() != Holds::Anything
    }

    /// Whether the stack can run a head.
    fn has(self, head: Head) -> bool {
        let stack = self.rules().stack();
        stack.is_none_or(|it| heads::of(head).stacks().contains(&it))
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
            .ok_or_else(|| UnknownLayout {
                name: name.to_owned(),
            })
    }
}

/// A name that is no layout's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown layout '{name}'; there are {}", Layout::ALL.map(Layout::name).join(", "))]
pub struct UnknownLayout {
    /// The name that was given.
    pub name: String,
}
