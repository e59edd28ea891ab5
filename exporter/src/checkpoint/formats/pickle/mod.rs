//! Reads a pickle as a tree of plain values and NumPy arrays. Nothing in it is executed.
//!
//! The maintained crates don't suffice: serde-pickle and pickled copy a value without a limit each
//! time it is fetched, and they lose an array's element type; pytorch-reader only knows its own
//! tensors. Here all values are in one list and refer to each other by index, so a value that is
//! fetched a million times is stored once, and an array's bytes stay in the file. Calls that
//! rebuild arrays are recognized by the function's name; any other call is refused by its name.

mod machine;
mod objects;

use bytes::Bytes;

use machine::Machine;

/// The longest name of a tensor, a class or a function.
pub(in super::super) const LONGEST_NAME: usize = 1 << 10;

/// Why a pickle can't be read.
#[derive(Debug)]
pub(in super::super) enum PickleError {
    /// The pickle violates the format.
    Malformed(String),
    /// The pickle calls this function, which is not known.
    Foreign(String),
}

type Result<T> = std::result::Result<T, PickleError>;

/// The index of a value in the list.
pub(in super::super) type Id = usize;

/// A value of a pickle.
#[derive(Debug)]
pub(in super::super) enum Value {
    /// None, floats, and anything else that is never needed.
    Plain,
    /// An integer.
    Int(i64),
    /// A boolean.
    Bool(bool),
    /// A string in UTF-8.
    Text(Bytes),
    /// Bytes.
    Bytes(Bytes),
    /// A tuple or a list.
    Sequence(Vec<Id>),
    /// A dictionary, as pairs of keys and values.
    Dict(Vec<(Id, Id)>),
    /// The module and name of a class or a function.
    Global(String),
    /// A NumPy element type, as its code, such as `f4`.
    ElementType(String),
    /// A NumPy array.
    Array(Array),
    /// A NumPy array before its state is set.
    EmptyArray,
}

impl Value {
    /// Bytes that a call copied, or may have copied, for this value.
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
    /// Reads the pickle at the start of `bytes`.
    pub(super) fn read(bytes: &Bytes) -> Result<Self> {
        let mut machine = Machine::new(bytes.clone());
        let root = machine.run()?;
        Ok(Self {
            values: machine.into_values(),
            root,
        })
    }

    /// The outermost value, which contains all others.
    pub(super) fn root(&self) -> Id {
        self.root
    }

    /// The value at this index.
    pub(super) fn value(&self, id: Id) -> &Value {
        self.values.get(id).unwrap_or(&Value::Plain)
    }

    /// The string at this index, if it can be a tensor's name.
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
