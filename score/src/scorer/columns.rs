//! Answers as Arrow columns.

use std::sync::Arc;

use arrow_array::types::{Float32Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, FixedSizeListArray, Float32Array, ListArray, PrimitiveArray, StringArray,
    StructArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, Fields};
use nezha_runtime::task::Task;

/// How a task's inputs are made of a row's texts, and its answers become columns. A row without an
/// answer is null in every column.
pub(super) trait Columns<T: Task>: Send + Sync {
    /// The input of the task, from the texts of a row; `None` if a needed text is missing.
    fn question(texts: Vec<Option<String>>) -> Option<T::Input>;

    /// The columns of the answers.
    fn fields(&self) -> Vec<Field>;

    /// The values of these columns.
    fn arrays(&self, answers: &[Option<T::Answer>]) -> Result<Vec<ArrayRef>, ArrowError>;
}

pub(super) fn float(name: &str) -> Field {
    Field::new(name, DataType::Float32, true)
}

pub(super) fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

pub(super) fn number(name: &str) -> Field {
    Field::new(name, DataType::UInt32, true)
}

/// A column of lists with items of this type.
pub(super) fn list(name: &str, item: DataType) -> Field {
    Field::new(name, DataType::List(item_field(item)), true)
}

/// A struct type with these fields.
pub(super) fn record(fields: Vec<Field>) -> DataType {
    DataType::Struct(Fields::from(fields))
}

pub(super) fn item_field(item: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", item, true))
}

pub(super) fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

pub(super) fn floats(values: impl Iterator<Item = Option<f32>>) -> ArrayRef {
    Arc::new(values.collect::<PrimitiveArray<Float32Type>>())
}

pub(super) fn numbers(values: impl Iterator<Item = Option<usize>>) -> ArrayRef {
    let values = values.map(|it| it.and_then(|it| u32::try_from(it).ok()));
    Arc::new(values.collect::<PrimitiveArray<UInt32Type>>())
}

/// Joins columns to one column of structs, without nulls of its own.
pub(super) fn records(fields: Vec<Field>, columns: Vec<ArrayRef>) -> Result<ArrayRef, ArrowError> {
    let records = StructArray::try_new(Fields::from(fields), columns, None)?;
    Ok(Arc::new(records))
}

/// Lists over consecutive ranges of `items`, with these lengths; a list without a length is null.
pub(super) fn lists(
    lengths: impl Iterator<Item = Option<usize>>,
    items: ArrayRef,
) -> Result<ArrayRef, ArrowError> {
    let lengths: Vec<Option<usize>> = lengths.collect();
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|it| it.unwrap_or(0)));
    let there = NullBuffer::from_iter(lengths.iter().map(Option::is_some));
    let field = item_field(items.data_type().clone());
    Ok(Arc::new(ListArray::try_new(
        field,
        offsets,
        items,
        Some(there),
    )?))
}

/// Vectors of one size; a missing vector is null.
pub(super) fn vectors<'a>(
    size: usize,
    vectors: impl Iterator<Item = Option<&'a [f32]>>,
) -> Result<ArrayRef, ArrowError> {
    let (mut values, mut there) = (Vec::new(), Vec::new());
    for vector in vectors {
        there.push(vector.is_some());
        let filled = values.len() + size;
        values.extend_from_slice(vector.unwrap_or_default());
        values.resize(filled, 0.0);
    }
    Ok(Arc::new(FixedSizeListArray::try_new(
        item_field(DataType::Float32),
        size_of_list(size),
        Arc::new(Float32Array::from(values)),
        Some(NullBuffer::from(there)),
    )?))
}

/// The size of Arrow's fixed-size lists.
pub(super) fn size_of_list(size: usize) -> i32 {
    i32::try_from(size).unwrap_or(i32::MAX)
}
