//! The calls that rebuild NumPy's arrays, and the states that arrays get. No other call is made.

use bytes::Bytes;

use super::machine::Machine;
use super::{Array, Id, PickleError, Result, Value, malformed};
use crate::transpose::transpose;

/// The most dimensions that NumPy allows.
const MOST_DIMENSIONS: usize = 64;

impl Machine {
    /// Replaces the call of a known function by its result; any other function is refused.
    pub(super) fn call(&mut self) -> Result<()> {
        let arguments = self.pop()?;
        let function = self.pop()?;
        let Some(Value::Global(function)) = self.values.get(function) else {
            return malformed("it calls something that is not a function");
        };
        let Some(Value::Sequence(arguments)) = self.values.get(arguments) else {
            return malformed("it calls a function without a tuple of arguments");
        };
        let value = match (function.as_str(), arguments.as_slice()) {
            ("numpy.core.multiarray._reconstruct" | "numpy._core.multiarray._reconstruct", _) => {
                Value::EmptyArray
            }
            ("numpy.core.multiarray.scalar" | "numpy._core.multiarray.scalar", _) => Value::Plain,
            ("numpy.dtype", [code, ..]) => Value::ElementType(self.short_text(*code)?.to_owned()),
            ("numpy.core.numeric._frombuffer" | "numpy._core.numeric._frombuffer", arguments) => {
                self.buffer_array(arguments)?
            }
            ("_codecs.encode", [text, ..]) => self.encoded(*text)?,
            ("collections.OrderedDict", []) => Value::Dict(Vec::new()),
            // Paddle's own tensors are tuples of a name and an array.
            ("builtins.tuple" | "__builtin__.tuple", &[only]) => {
                self.stack.push(only);
                return Ok(());
            }
            (other, _) => return Err(PickleError::Foreign(other.to_owned())),
        };
        self.spend(value.copied())?;
        self.push(value)
    }

    /// Converts the string in which Python 3 writes bytes for Python 2: its code points are the
    /// bytes.
    fn encoded(&self, text: Id) -> Result<Value> {
        let text = match self.values.get(text) {
            Some(Value::Text(text)) => std::str::from_utf8(text).ok(),
            _ => None,
        };
        let bytes: Option<Vec<u8>> =
            text.and_then(|it| it.chars().map(|it| u8::try_from(it).ok()).collect());
        match bytes {
            Some(bytes) => Ok(Value::Bytes(bytes.into())),
            None => malformed("bytes are written as text with characters that are not bytes"),
        }
    }

    /// NumPy's arrays in protocol 5: (bytes, element type, shape, order).
    fn buffer_array(&self, arguments: &[Id]) -> Result<Value> {
        let &[bytes, code, shape, order] = arguments else {
            return malformed("an array has a number of parts other than four");
        };
        let columns_first = self.short_text(order)? == "F";
        self.array_of(shape, code, bytes, columns_first)
    }

    /// Sets the state of an array, (version, shape, element type, columns first, bytes), or of an
    /// element type, which is its byte order.
    pub(super) fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        let Some(Value::Sequence(state)) = self.values.get(state) else {
            return malformed("an object's state is not a tuple");
        };
        let object = self.stack.last().and_then(|id| self.values.get(*id));
        match (object, state.as_slice()) {
            (Some(Value::ElementType(_)), &[_, order, ..]) => match self.short_text(order)? {
                ">" => malformed("its arrays are big-endian"),
                _ => Ok(()),
            },
            (Some(Value::EmptyArray), &[_, shape, code, columns_first, bytes]) => {
                let columns_first =
                    matches!(self.values.get(columns_first), Some(Value::Bool(true)));
                let array = self.array_of(shape, code, bytes, columns_first)?;
                self.spend(array.copied())?;
                *self.top()? = array;
                Ok(())
            }
            _ => malformed("an object has a state that its class can't have"),
        }
    }

    fn array_of(&self, shape: Id, code: Id, bytes: Id, columns_first: bool) -> Result<Value> {
        let (
            Some(Value::Sequence(shape)),
            Some(Value::ElementType(code)),
            Some(Value::Bytes(bytes)),
        ) = (
            self.values.get(shape),
            self.values.get(code),
            self.values.get(bytes),
        )
        else {
            return malformed("an array lacks its shape, its element type or its bytes");
        };
        let dimension = |id: &Id| match self.values.get(*id) {
            Some(Value::Int(size)) => usize::try_from(*size).ok(),
            _ => None,
        };
        // The dimensions are counted before they are read, because a list of a million could be the
        // shape of a million arrays.
        let shape = (shape.len() <= MOST_DIMENSIONS).then_some(shape);
        let shape: Option<Vec<usize>> = shape.and_then(|it| it.iter().map(dimension).collect());
        let Some(shape) = shape else {
            return malformed("an array's shape is not a tuple of sizes");
        };
        // A code ends with the element's size: f4, i8, V2. Strings and objects are not tensors.
        let size = code.trim_start_matches(|it: char| !it.is_ascii_digit());
        let size: usize = size.parse().unwrap_or(1);
        let length = shape
            .iter()
            .try_fold(size, |length, it| length.checked_mul(*it));
        if length != Some(bytes.len()) {
            return malformed(format!(
                "an array of shape {shape:?} and element type '{code}' has {} bytes",
                bytes.len()
            ));
        }
        let bytes = match (columns_first, shape.as_slice()) {
            (true, &[rows, columns]) if rows > 0 && columns > 0 => row_major(bytes, size, rows)?,
            (true, [_, _, ..]) => return malformed("an array is stored columns first"),
            _ => bytes.clone(),
        };
        Ok(Value::Array(Array {
            shape,
            code: code.clone(),
            bytes,
        }))
    }
}

/// Converts a column-major matrix to row-major.
fn row_major(bytes: &Bytes, size: usize, rows: usize) -> Result<Bytes> {
    let mut out = Vec::with_capacity(bytes.len());
    match matches!(size, 1 | 2 | 4 | 8) && transpose(bytes, size, rows, &mut out).is_ok() {
        true => Ok(out.into()),
        false => malformed("an array is stored columns first"),
    }
}
