use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON object that keeps its values as text, so that no digit of a number is lost.
#[derive(Debug)]
pub(crate) struct Object<'l>(Vec<(String, &'l RawValue)>);

impl<'l> Object<'l> {
    /// Parses a line.
    pub(crate) fn parse(line: &'l str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }

    /// Names and values, in order.
    pub(crate) fn fields(&self) -> &[(String, &'l RawValue)] {
        &self.0
    }

    /// The value of this name; if there are several, the last.
    pub(crate) fn get(&self, name: &str) -> Option<&'l str> {
        let mut fields = self.0.iter().rev();
        fields
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.get())
    }

    /// The object with only these of its fields.
    pub(crate) fn only(&self, names: &[String]) -> String {
        let kept = self.0.iter().filter(|(name, _)| names.contains(name));
        let field = |(name, value): &(String, &RawValue)| {
            format!("{}:{}", serde_json::Value::from(name.as_str()), value.get())
        };
        let fields: Vec<String> = kept.map(field).collect();
        format!("{{{}}}", fields.join(","))
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object<'de>, M::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<String, &'de RawValue>()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}
