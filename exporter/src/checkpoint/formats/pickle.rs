//! A pickle as a tree of plain values and NumPy arrays. Nothing in it is run.
//!
//! Of the kept crates, serde-pickle and pickled copy what is fetched again without a bound and
//! forget an array's element type, and pytorch-reader knows tensors of its own alone. Here the
//! values stand in one list and refer to each other by their place, so that a value that is
//! fetched a million times is there once, and an array's bytes stay where they are in the file.
//! Calls that rebuild arrays are known by their names; any other is refused by its name.

use bytes::Bytes;

use crate::transpose::transpose;

/// Operations that a pickle may have, and so the most values: a state dict has forty for each
/// tensor.
const MOST_OPERATIONS: usize = 1 << 22;

/// The longest name of a tensor, a class or a function.
const LONGEST_NAME: usize = 1 << 10;

/// Dimensions that NumPy allows.
const MOST_DIMENSIONS: usize = 64;

/// Why a pickle can't be read.
#[derive(Debug)]
pub(super) enum PickleError {
    /// It breaks the rules.
    Malformed(String),
    /// It calls something.
    Foreign(String),
}

type Result<T> = std::result::Result<T, PickleError>;

/// A value's place in the list.
pub(super) type Id = usize;

/// A value of a pickle.
#[derive(Debug)]
pub(super) enum Value {
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

/// A NumPy array, row-major.
#[derive(Debug)]
pub(super) struct Array {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its element type's code, such as `f4`.
    pub code: String,
    /// Its elements, little-endian.
    pub bytes: Bytes,
}

/// A pickle's values.
pub(super) struct Pickle {
    values: Vec<Value>,
    root: Id,
}

impl Pickle {
    /// Reads the pickle that `bytes` start with.
    pub fn read(bytes: &Bytes) -> Result<Self> {
        let mut machine = Machine {
            bytes: bytes.clone(),
            at: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
        };
        let root = machine.run()?;
        Ok(Self {
            values: machine.values,
            root,
        })
    }

    /// The value that all others are in.
    pub fn root(&self) -> Id {
        self.root
    }

    /// The value at a place.
    pub fn value(&self, id: Id) -> &Value {
        self.values.get(id).unwrap_or(&Value::Plain)
    }

    /// The text at a place, if it is one that a tensor may be called by.
    pub fn name(&self, id: Id) -> Option<&str> {
        match self.value(id) {
            Value::Text(text) if text.len() <= LONGEST_NAME => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }
}

struct Machine {
    bytes: Bytes,
    at: usize,
    values: Vec<Value>,
    stack: Vec<Id>,
    /// The stack's height at each open mark.
    marks: Vec<usize>,
    memo: Vec<Id>,
}

fn malformed<T>(reason: impl Into<String>) -> Result<T> {
    Err(PickleError::Malformed(reason.into()))
}

impl Machine {
    fn run(&mut self) -> Result<Id> {
        for _ in 0..MOST_OPERATIONS {
            let place = self.at;
            let [operation] = self.array()?;
            match operation {
                b'.' => return self.pop(),
                operation => self.step(operation, place)?,
            }
        }
        malformed(format!("it has more than {MOST_OPERATIONS} operations"))
    }

    fn step(&mut self, operation: u8, place: usize) -> Result<()> {
        match operation {
            // PROTO and FRAME.
            0x80 => self.array::<1>().map(drop),
            0x95 => self.array::<8>().map(drop),
            // NONE, NEWTRUE, NEWFALSE, and numbers.
            b'N' => self.push(Value::Plain),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'K' => {
                let [number] = self.array()?;
                self.push(Value::Int(number.into()))
            }
            b'M' => {
                let number = u16::from_le_bytes(self.array()?);
                self.push(Value::Int(number.into()))
            }
            b'J' => {
                let number = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(number.into()))
            }
            b'G' => {
                self.array::<8>()?;
                self.push(Value::Plain)
            }
            0x8a => self.push_long(),
            // Texts, and bytes. Python 2 wrote both alike.
            b'X' => self.push_text(Width::Four),
            0x8c => self.push_text(Width::One),
            0x8d => self.push_text(Width::Eight),
            b'B' => self.push_bytes(Width::Four),
            b'C' => self.push_bytes(Width::One),
            0x8e | 0x96 => self.push_bytes(Width::Eight),
            b'U' => self.push_old_string(Width::One),
            b'T' => self.push_old_string(Width::Four),
            // Sequences.
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b')' | b']' | 0x8f => self.push(Value::Sequence(Vec::new())),
            0x85..=0x87 => self.push_tuple(usize::from(operation - 0x84)),
            b't' | b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Sequence(items))
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.append(items)
            }
            // Dictionaries.
            b'}' => self.push(Value::Dict(Vec::new())),
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Dict(Vec::new()))?;
                self.set(items)
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(vec![key, value])
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(items)
            }
            // The memo.
            0x94 => self.memoize(self.memo.len()),
            b'q' => {
                let [index] = self.array()?;
                self.memoize(index.into())
            }
            b'r' => {
                let index = u32::from_le_bytes(self.array()?);
                self.memoize(index as usize)
            }
            b'h' => {
                let [index] = self.array()?;
                self.fetch(index.into())
            }
            b'j' => {
                let index = u32::from_le_bytes(self.array()?);
                self.fetch(index as usize)
            }
            // Objects.
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                self.push(Value::Global(format!("{module}.{name}")))
            }
            0x93 => self.push_global(),
            b'R' | 0x81 => self.call(),
            b'b' => self.build(),
            // READONLY_BUFFER, which does nothing to bytes.
            0x98 => Ok(()),
            b'0' => self.pop().map(drop),
            other => malformed(format!(
                "byte {place} is the operation {other:#04x}, which no saved state dict has"
            )),
        }
    }

    fn push(&mut self, value: Value) -> Result<()> {
        self.stack.push(self.values.len());
        self.values.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id> {
        let open = self.marks.last().copied().unwrap_or(0);
        match self.stack.len() > open {
            true => self
                .stack
                .pop()
                .map_or_else(|| malformed("its stack is empty"), Ok),
            false => malformed("its stack is empty"),
        }
    }

    fn top(&mut self) -> Result<&mut Value> {
        let top = self.stack.last().and_then(|id| self.values.get_mut(*id));
        top.map_or_else(|| malformed("its stack is empty"), Ok)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark.min(self.stack.len()))),
            None => malformed("a mark is missing"),
        }
    }

    fn push_tuple(&mut self, length: usize) -> Result<()> {
        let mut items = (0..length)
            .map(|_| self.pop())
            .collect::<Result<Vec<_>>>()?;
        items.reverse();
        self.push(Value::Sequence(items))
    }

    fn append(&mut self, items: Vec<Id>) -> Result<()> {
        match self.top()? {
            Value::Sequence(sequence) => sequence.extend(items),
            _ => return malformed("it appends to what is no list"),
        }
        Ok(())
    }

    fn set(&mut self, items: Vec<Id>) -> Result<()> {
        let (pairs, rest) = items.as_chunks::<2>();
        match self.top()? {
            Value::Dict(dict) if rest.is_empty() => {
                dict.extend(pairs.iter().map(|[key, value]| (*key, *value)))
            }
            _ => return malformed("it sets items of what is no dictionary"),
        }
        Ok(())
    }

    fn memoize(&mut self, index: usize) -> Result<()> {
        let Some(&top) = self.stack.last() else {
            return malformed("its stack is empty");
        };
        if index >= MOST_OPERATIONS {
            return malformed(format!("it keeps a value as number {index}"));
        }
        if index >= self.memo.len() {
            self.memo.resize(index + 1, usize::MAX);
        }
        if let Some(slot) = self.memo.get_mut(index) {
            *slot = top;
        }
        Ok(())
    }

    fn fetch(&mut self, index: usize) -> Result<()> {
        match self.memo.get(index) {
            Some(&id) if id != usize::MAX => {
                self.stack.push(id);
                Ok(())
            }
            _ => malformed(format!("it fetches value {index}, which was not kept")),
        }
    }

    fn push_long(&mut self) -> Result<()> {
        let [length] = self.array()?;
        let digits = self.take(length.into())?;
        let negative = digits.last().is_some_and(|it| it & 0x80 != 0);
        let mut bytes = [if negative { 0xff } else { 0 }; 8];
        let fits = bytes.get_mut(..digits.len());
        match fits {
            Some(low) => low.copy_from_slice(&digits),
            // A seed of a thousand bits is nobody's size.
            None => return self.push(Value::Plain),
        }
        self.push(Value::Int(i64::from_le_bytes(bytes)))
    }

    fn push_text(&mut self, width: Width) -> Result<()> {
        let text = self.sized(width)?;
        self.push(Value::Text(text))
    }

    fn push_bytes(&mut self, width: Width) -> Result<()> {
        let bytes = self.sized(width)?;
        self.push(Value::Bytes(bytes))
    }

    fn push_old_string(&mut self, width: Width) -> Result<()> {
        let bytes = self.sized(width)?;
        let is_text = bytes.len() <= LONGEST_NAME && std::str::from_utf8(&bytes).is_ok();
        self.push(match is_text {
            true => Value::Text(bytes),
            false => Value::Bytes(bytes),
        })
    }

    fn push_global(&mut self) -> Result<()> {
        let name = self.pop()?;
        let module = self.pop()?;
        let text = |id| self.short_text(id);
        let global = format!("{}.{}", text(module)?, text(name)?);
        self.push(Value::Global(global))
    }

    /// A text that is short enough to be a name.
    fn short_text(&self, id: Id) -> Result<&str> {
        let text = match self.values.get(id) {
            Some(Value::Text(text) | Value::Bytes(text)) if text.len() <= LONGEST_NAME => {
                std::str::from_utf8(text).ok()
            }
            _ => None,
        };
        text.map_or_else(|| malformed("a name is no text"), Ok)
    }

    /// What a call of a known function gives; no other is made.
    fn call(&mut self) -> Result<()> {
        let arguments = self.pop()?;
        let function = self.pop()?;
        let Some(Value::Global(function)) = self.values.get(function) else {
            return malformed("it calls what is no function");
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
        self.push(value)
    }

    /// Python 3 writes bytes for Python 2 as the text with these code points.
    fn encoded(&self, text: Id) -> Result<Value> {
        let text = match self.values.get(text) {
            Some(Value::Text(text)) => std::str::from_utf8(text).ok(),
            _ => None,
        };
        let bytes: Option<Vec<u8>> =
            text.and_then(|it| it.chars().map(|it| u8::try_from(it).ok()).collect());
        match bytes {
            Some(bytes) => Ok(Value::Bytes(bytes.into())),
            None => malformed("bytes are written as a text that has others"),
        }
    }

    /// NumPy's arrays of protocol 5: (bytes, element type, shape, order).
    fn buffer_array(&self, arguments: &[Id]) -> Result<Value> {
        let &[bytes, code, shape, order] = arguments else {
            return malformed("an array has not four parts");
        };
        let columns_first = self.short_text(order)? == "F";
        self.array_of(shape, code, bytes, columns_first)
    }

    /// Gives an array its state, (version, shape, element type, columns first, bytes), or an element
    /// type its byte order.
    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        let Some(Value::Sequence(state)) = self.values.get(state) else {
            return malformed("an object's state is no tuple");
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
                *self.top()? = self.array_of(shape, code, bytes, columns_first)?;
                Ok(())
            }
            _ => malformed("an object has a state that is none of its own"),
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
        let shape: Option<Vec<usize>> = shape.iter().map(dimension).collect();
        let Some(shape) = shape.filter(|it| it.len() <= MOST_DIMENSIONS) else {
            return malformed("an array's shape is none");
        };
        // A code ends with its size: f4, i8, V2. Texts and objects are no tensors.
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

    /// The next N bytes.
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let found = self
            .bytes
            .get(self.at..)
            .and_then(|it| it.first_chunk().copied());
        match found {
            Some(bytes) => {
                self.at += N;
                Ok(bytes)
            }
            None => malformed("it ends early"),
        }
    }

    /// The next bytes, where they are in the file.
    fn take(&mut self, length: usize) -> Result<Bytes> {
        let end = self
            .at
            .checked_add(length)
            .filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            return malformed("it ends early");
        };
        let taken = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(taken)
    }

    fn sized(&mut self, width: Width) -> Result<Bytes> {
        let length = match width {
            Width::One => u64::from(self.array::<1>()?[0]),
            Width::Four => u32::from_le_bytes(self.array()?).into(),
            Width::Eight => u64::from_le_bytes(self.array()?),
        };
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn line(&mut self) -> Result<String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().take(LONGEST_NAME).position(|it| *it == b'\n');
        let Some(end) = end else {
            return malformed("a line has no end");
        };
        let line = self.take(end)?;
        self.at += 1;
        match std::str::from_utf8(&line) {
            Ok(line) => Ok(line.to_owned()),
            Err(_) => malformed("a line is no text"),
        }
    }
}

/// Bytes of a length.
#[derive(Clone, Copy)]
enum Width {
    One,
    Four,
    Eight,
}

/// Columns that lie one after the other, as rows.
fn row_major(bytes: &Bytes, size: usize, rows: usize) -> Result<Bytes> {
    let mut out = Vec::with_capacity(bytes.len());
    match matches!(size, 1 | 2 | 4 | 8) && transpose(bytes, size, rows, &mut out).is_ok() {
        true => Ok(out.into()),
        false => malformed("an array is stored columns first"),
    }
}
