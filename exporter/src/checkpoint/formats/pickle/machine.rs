//! The stack machine that runs a pickle's operations.

use bytes::Bytes;

use super::{Id, LONGEST_NAME, Result, Value, malformed};

/// The most operations that a pickle may have, which also limits its values; a state dict has forty
/// for each tensor.
const MOST_OPERATIONS: usize = 1 << 22;

/// Bytes that calls may create in addition to three times the pickle's size. Python 3 writes bytes
/// for Python 2 as text, which is converted to bytes and then to an array.
const SPARE: usize = 1 << 16;

/// The stack, the memo, and the bytes that are left to read.
pub(super) struct Machine {
    bytes: Bytes,
    at: usize,
    pub(super) values: Vec<Value>,
    pub(super) stack: Vec<Id>,
    /// The stack's height at each open mark.
    marks: Vec<usize>,
    memo: Vec<Id>,
    /// Bytes that may still be copied: a value that is fetched a million times can be copied as
    /// often.
    budget: usize,
}

impl Machine {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self {
            budget: bytes.len().saturating_mul(3).saturating_add(SPARE),
            bytes,
            at: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
        }
    }

    pub(super) fn into_values(self) -> Vec<Value> {
        self.values
    }

    pub(super) fn run(&mut self) -> Result<Id> {
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
            // Strings and bytes. Python 2 wrote both in the same way.
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
            // READONLY_BUFFER, which doesn't change bytes.
            0x98 => Ok(()),
            b'0' => self.pop().map(drop),
            other => malformed(format!(
                "byte {place} is the operation {other:#04x}, which no saved state dict has"
            )),
        }
    }

    pub(super) fn push(&mut self, value: Value) -> Result<()> {
        self.stack.push(self.values.len());
        self.values.push(value);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Result<Id> {
        let open = self.marks.last().copied().unwrap_or(0);
        match self.stack.len() > open {
            true => self
                .stack
                .pop()
                .map_or_else(|| malformed("its stack is empty"), Ok),
            false => malformed("its stack is empty"),
        }
    }

    pub(super) fn top(&mut self) -> Result<&mut Value> {
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
            _ => return malformed("it appends to something that is not a list"),
        }
        Ok(())
    }

    fn set(&mut self, items: Vec<Id>) -> Result<()> {
        let (pairs, rest) = items.as_chunks::<2>();
        match self.top()? {
            Value::Dict(dict) if rest.is_empty() => {
                dict.extend(pairs.iter().map(|[key, value]| (*key, *value)));
            }
            _ => return malformed("it sets items of something that is not a dictionary"),
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
            // Such a long integer may be a random seed, but it is never a size.
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
        self.spend(global.len())?;
        self.push(Value::Global(global))
    }

    /// The string at `id`, if it is short enough to be a name.
    pub(super) fn short_text(&self, id: Id) -> Result<&str> {
        let text = match self.values.get(id) {
            Some(Value::Text(text) | Value::Bytes(text)) if text.len() <= LONGEST_NAME => {
                std::str::from_utf8(text).ok()
            }
            _ => None,
        };
        text.map_or_else(|| malformed("a name is not text"), Ok)
    }

    /// Subtracts bytes that a call copies from the budget.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<()> {
        match self.budget.checked_sub(bytes) {
            Some(rest) => {
                self.budget = rest;
                Ok(())
            }
            None => malformed("it unfolds to more than three times its bytes"),
        }
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

    /// The next `length` bytes, as a view of the file.
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
            Err(_) => malformed("a line is not text"),
        }
    }
}

/// The width of the length before bytes or a string.
#[derive(Clone, Copy)]
enum Width {
    One,
    Four,
    Eight,
}
