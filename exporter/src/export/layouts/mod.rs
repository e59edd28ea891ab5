//! The layouts: where the files of an export are for the stack that loads them. Each layout has a
//! file; [`rules`] lists them.

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

/// A folder structure that a stack expects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layout {
    /// Everything in one folder: this project's own layout.
    #[default]
    Plain,
    /// Hugging Face Optimum's `ORTModelFor…`: one head as `model.onnx`, with `config.json` beside
    /// it.
    Optimum,
    /// transformers.js: `onnx/model.onnx`, `onnx/model_fp16.onnx`, `onnx/model_quantized.onnx` for
    /// int8, `onnx/model_q4.onnx`, and a `config.json` with a model type that it knows.
    TransformersJs,
    /// text-embeddings-inference: `model.onnx`, and `1_Pooling/config.json` for embeddings.
    Tei,
    /// A Triton model repository: `nezha-<head>/1/model.onnx` and `nezha-<head>/config.pbtxt`; for
    /// precisions other than fp32, the folder is `nezha-<head>-<precision>`.
    Triton,
    /// OpenVINO: one head as `model.onnx`, in the form of the graph that OpenVINO computes fastest;
    /// see [`Gather`].
    OpenVino,
}

/// The rules of a layout. The defaults are what most layouts have in common.
pub(super) trait Rules: Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// The stack, if it has classes only for some heads.
    fn stack(&self) -> Option<Stack> {
        None
    }

    /// How many heads and precisions a folder can contain.
    fn holds(&self) -> Holds {
        Holds::OneHead
    }

    /// The folder of a model, if each model has its own.
    fn folder(&self, _head: Head, _precision: Precision) -> Option<String> {
        None
    }

    /// The subfolder that contains the `.onnx` and its weights.
    fn model_folder(&self) -> &'static str {
        ""
    }

    /// The file name of a model; `stem` is its name in single precision.
    fn file_name(&self, precision: Precision, stem: &str) -> String {
        precision.file_name(stem)
    }

    /// The form of the graph that the stack computes fastest, if there is one.
    fn gather(&self) -> Option<Gather> {
        None
    }

    /// The default placement of the weights; `None` lets their size decide.
    fn placement(&self) -> Option<Placement> {
        None
    }

    /// Whether the stack feeds the graph itself, with ids, mask and types, and nothing else.
    fn feeds_itself(&self) -> bool {
        false
    }

    /// The reason why the stack can't load a precision, if there is one.
    fn refusal(&self, _precision: Precision, _triton: TritonOptions) -> Option<&'static str> {
        None
    }

    /// Refuses options that only this stack excludes.
    fn check(&self, _options: &GraphOptions, _weights: Placement) -> Result<(), LayoutError> {
        Ok(())
    }

    /// Checks that the stack can use this tokenizer.
    fn check_tokenizer(&self, _tokenizer: &TokenizerFolder) -> Result<(), LayoutError> {
        Ok(())
    }

    /// Changes the tokenizer to what the stack reads.
    fn complete_tokenizer(&self, _tokenizer: &mut TokenizerFolder) {}

    /// The text of `config.json`.
    fn config_json(&self, text: &str, _known: &Config, _head: Head) -> String {
        text.to_owned()
    }

    /// Further files, as paths in the folder and texts.
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

/// Which models a folder of a layout can contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Any heads in any precisions; the heads' names distinguish them.
    Anything,
    /// Any heads in any precisions, each in its own folder.
    Repositories,
    /// One head in several precisions.
    OneHead,
    /// One head in one precision.
    OneModel,
}

/// The rules of a layout.
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

    /// The rules of this layout.
    pub(super) fn rules(self) -> &'static dyn Rules {
        rules(self)
    }

    /// The folders to write inside of `folder`, with the models of each.
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

    /// Whether every model is named `model`, for all heads.
    pub(super) fn names_no_head(self) -> bool {
        self.rules().holds() != Holds::Anything
    }

    /// Whether the stack can load a head.
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

/// An unknown layout.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown layout '{name}'; there are {}", Layout::ALL.map(Layout::name).join(", "))]
pub struct UnknownLayout {
    /// The name that was given.
    pub name: String,
}
