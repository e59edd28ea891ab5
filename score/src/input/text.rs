//! The texts of an Arrow column.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;

use crate::scorer::Cell;

/// Whether a column of this type has texts.
pub(crate) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// The cells of the columns with these names. If a column is missing or has no texts, each of its
/// cells is an error.
pub(crate) fn cells(batch: &RecordBatch, names: &[String]) -> Vec<Vec<Cell>> {
    let column = |name: &String| match batch.column_by_name(name) {
        Some(column) => of_column(column),
        None => vec![Err(format!("no column '{name}'")); batch.num_rows()],
    };
    names.iter().map(column).collect()
}

fn of_column(column: &ArrayRef) -> Vec<Cell> {
    let owned = |text: Option<&str>| Ok(text.map(str::to_owned));
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().iter().map(owned).collect(),
        DataType::LargeUtf8 => column.as_string::<i64>().iter().map(owned).collect(),
        DataType::Utf8View => column.as_string_view().iter().map(owned).collect(),
        DataType::Dictionary(_, _) => {
            let dictionary = column.as_any_dictionary();
            let values = of_column(dictionary.values());
            let keys = dictionary.normalized_keys();
            let cell = |(row, key): (usize, usize)| match dictionary.keys().is_null(row) {
                true => Ok(None),
                false => values.get(key).cloned().unwrap_or(Ok(None)),
            };
            keys.into_iter().enumerate().map(cell).collect()
        }
        other => vec![Err(format!("expected text, found {other}")); column.len()],
    }
}
