//! How texts are split into words.

use nezha_runtime::task::{self, WordList, Words};
use pyo3::prelude::*;

use crate::failure::{Class, Failure};

/// How a text is split into words.
#[pyclass(frozen, module = "nezha_onnx._nezha")]
pub(crate) struct Split(task::Split);

/// The name of a way to split, or a list of words to find.
#[derive(FromPyObject)]
enum How {
    Named(String),
    LongestOf(Vec<String>),
}

#[pymethods]
impl Split {
    #[new]
    fn new(how: How) -> PyResult<Self> {
        Ok(Self(match how {
            How::Named(name) if name == "characters" => task::Split::Characters,
            How::Named(name) if name == "spaces" => task::Split::Spaces,
            How::Named(name) => {
                let message = format!(
                    "split '{name}': expected characters, spaces, or a list of words to find"
                );
                return Err(Failure::new(Class::Option, message).into());
            }
            How::LongestOf(words) => task::Split::LongestOf(WordList::from_iter(words)),
        }))
    }
}

impl Split {
    /// The words of a text.
    pub(crate) fn split(&self, text: &str) -> Words {
        self.0.split(text)
    }
}
