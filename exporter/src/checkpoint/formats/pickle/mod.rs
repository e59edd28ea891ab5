//! A pickle as a tree of plain values and NumPy arrays. Nothing in it is run.
//!
//! Of the kept crates, serde-pickle and pickled copy what is fetched again without a bound and
//! forget an array's element type, and pytorch-reader knows tensors of its own alone. Here the
//! values stand in one list and refer to each other by their place, so that a value that is
//! fetched a million times is there once, and an array's bytes stay where they are in the file.
//! Calls that rebuild arrays are known by their names; any other is refused by its name.

mod machine;
mod objects;

use bytes::Bytes;

use machine::Machine;

/// The longest name of a tensor, a class or a function.
pub(in super::super) const LONGEST_NAME: usize = 1 << 10;

/// Why a pickle can't be read.
#[derive(Debug)]
pub(in super::super) enum PickleError {
    /// It breaks the rules.
    Malformed(String),
    /// It calls something.
    Foreign(String),
}

type Result<T> = std::result::Result<T, PickleError>;

/// A value's place in the list.
pub(in super::super) type Id = usize;

/// A value of a pickle.
#[derive(Debug)]
pub(in super::super) enum Value {
    /// None, numbers, truth values, what nobody asks for.
    Plain,
    /// A whole number.
    Int(i64),
    /// A truth value.
    Bool(bool),
    /// Text in UTF-8.
    Text(Bytes),
    /// Bytes.
    Bytes(Bytes),
    /// A tuple or a list.
    Sequence(Vec<Id>),
    /// Keys and values.
    Dict(Vec<(Id, Id)>),
    /// A class or a function by its module and name.
    Global(String),
    /// A NumPy element type: its code, such as `f4`.
    ElementType(String),
    /// A NumPy array.
    Array(Array),
    /// A NumPy array before its state.
    EmptyArray,
}

impl Value {
    /// Bytes that a call copied for it, or may have.
    fn copied(&self) -> usize {
        match self {
            Value::ElementType(code) => code.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Array(array) => {
                array.bytes.len() + array.code.len() + size_of_val(array.shape.as_slice())
            }
            _ => 0,
        }
    }
}

/// A NumPy array, row-major.
#[derive(Debug)]
pub(in super::super) struct Array {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its element type's code, such as `f4`.
    pub code: String,
    /// Its elements, little-endian.
    pub bytes: Bytes,
}

/// A pickle's values.
pub(in super::super) struct Pickle {
    values: Vec<Value>,
    root: Id,
}

impl Pickle {
    /// Reads the pickle that `bytes` start with.
    pub(super) fn read(bytes: &Bytes) -> Result<Self> {
        let mut machine = Machine::new(bytes.clone());
        let root = machine.run()?;
        Ok(Self {
            values: machine.into_values(),
            root,
        })
    }

    /// The value that all others are in.
    pub(super) fn root(&self) -> Id {
        self.root
    }

    /// The value at a place.
    pub(super) fn value(&self, id: Id) -> &Value {
        self.values.get(id).unwrap_or(&Value::Plain)
    }

    /// The text at a place, if it is one that a tensor may be called by.
    pub(super) fn name(&self, id: Id) -> Option<&str> {
        match self.value(id) {
            Value::Text(text) if text.len() <= LONGEST_NAME => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }
}

fn malformed<T>(reason: impl Into<String>) -> Result<T> {
    Err(PickleError::Malformed(reason.into()))
}
