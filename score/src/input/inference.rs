//! Infers the types of JSON fields from their values.

use arrow_schema::{DataType, Field, Schema};

use super::Object;

/// Names and types of fields, in the order of their first appearance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inferred(Vec<(String, Shape)>);

/// The type of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Null,
    Boolean,
    Integer,
    Float,
    Text,
}

impl Inferred {
    /// Adds the fields of an object.
    pub(crate) fn add(&mut self, object: &Object<'_>) {
        for (at, (name, value)) in object.fields().iter().enumerate() {
            self.join(at, name, Shape::of(value.get()));
        }
    }

    /// Adds the fields of another file.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (at, (name, shape)) in other.0.iter().enumerate() {
            self.join(at, name, *shape);
        }
    }

    /// Adds a field; `at` is its likely index.
    fn join(&mut self, at: usize, name: &str, shape: Shape) {
        let there = match self.0.get(at) {
            Some((field, _)) if field == name => Some(at),
            _ => self.0.iter().position(|(field, _)| field == name),
        };
        match there.and_then(|at| self.0.get_mut(at)) {
            Some((_, known)) => *known = known.with(shape),
            None => self.0.push((name.to_owned(), shape)),
        }
    }

    /// The fields as nullable columns.
    pub(crate) fn schema(&self) -> Schema {
        let field = |(name, shape): &(String, Shape)| Field::new(name, shape.data_type(), true);
        Schema::new(self.0.iter().map(field).collect::<Vec<_>>())
    }

    /// Why the first field that doesn't fit these columns doesn't; `None` if all fit.
    pub(crate) fn misfit(&self, schema: &Schema) -> Option<String> {
        self.0
            .iter()
            .find_map(|(name, shape)| match schema.field_with_name(name) {
                Err(_) => Some(format!("the field '{name}' is in no other input")),
                Ok(field) if shape.fits(field.data_type()) => None,
                Ok(field) => Some(format!(
                    "the field '{name}' has {} values, in other inputs {}",
                    shape.data_type(),
                    field.data_type()
                )),
            })
    }
}

impl Shape {
    /// The type of a value in JSON text.
    fn of(value: &str) -> Self {
        match value.as_bytes().first() {
            Some(b'n') => Shape::Null,
            Some(b't' | b'f') => Shape::Boolean,
            Some(b'-' | b'0'..=b'9') if value.parse::<i64>().is_ok() => Shape::Integer,
            Some(b'-' | b'0'..=b'9') if value.contains(['.', 'e', 'E']) => Shape::Float,
            _ => Shape::Text,
        }
    }

    /// The type that holds the values of both; text if there is no other.
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (one, other) if one == other => one,
            (Shape::Null, one) | (one, Shape::Null) => one,
            (Shape::Integer, Shape::Float) | (Shape::Float, Shape::Integer) => Shape::Float,
            _ => Shape::Text,
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Shape::Boolean => DataType::Boolean,
            Shape::Integer => DataType::Int64,
            Shape::Float => DataType::Float64,
            Shape::Null | Shape::Text => DataType::Utf8,
        }
    }

    fn fits(self, column: &DataType) -> bool {
        let text = || {
            matches!(
                column,
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
            )
        };
        match self {
            Shape::Null => text() || column.is_numeric() || column == &DataType::Boolean,
            Shape::Boolean => column == &DataType::Boolean,
            Shape::Integer => column.is_integer() || column == &DataType::Float64,
            Shape::Float => column == &DataType::Float64,
            Shape::Text => text(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inferred(lines: &[&str]) -> Schema {
        let mut inferred = Inferred::default();
        for line in lines {
            inferred.add(&Object::parse(line).unwrap());
        }
        inferred.schema()
    }

    #[test]
    fn a_field_has_the_type_that_holds_all_its_values() {
        let schema = inferred(&[
            r#"{"id": 1, "stars": 4, "text": "好", "tags": ["a"], "new": null, "mixed": 1}"#,
            r#"{"stars": 4.5, "id": 9007199254740993, "text": null, "mixed": "one"}"#,
            r#"{"id": 2, "huge": 123456789012345678901234567890}"#,
        ]);
        let found: Vec<String> = schema
            .fields()
            .iter()
            .map(|it| format!("{} {}", it.name(), it.data_type()))
            .collect();
        let expected = [
            "id Int64",
            "stars Float64",
            "text Utf8",
            "tags Utf8",
            "new Utf8",
            "mixed Utf8",
            "huge Utf8",
        ];
        assert_eq!(found, expected);
    }
}
