use std::ops::Range;
use std::path::{Component, Path};

use crate::proto::{StringStringEntryProto, TensorProto};

/// Number of the enumerator `TensorProto.DataLocation.EXTERNAL`.
const EXTERNAL: i32 = 1;

/// Where the elements of an initializer are, if not in the model: ONNX's
/// [external data](https://github.com/onnx/onnx/blob/main/docs/ExternalData.md).
///
/// ```
/// use nezha_graphs::ExternalData;
/// use nezha_graphs::proto::TensorProto;
///
/// let mut tensor = TensorProto::default();
/// assert!(ExternalData::of(&tensor).is_none());
/// let place = ExternalData { location: "w.onnx_data", offset: 64, length: Some(8) };
/// place.give_to(&mut tensor);
/// assert_eq!(ExternalData::of(&tensor).map(|it| it.range(100)), Some(64..72));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternalData<'t> {
    /// The file, from the model's own folder.
    pub location: &'t str,
    /// Bytes before the first element; one that is no number lies behind the end of every file.
    pub offset: u64,
    /// Bytes of all elements; to the end of the file if `None`.
    pub length: Option<u64>,
}

impl<'t> ExternalData<'t> {
    /// What an initializer says; `None` where its elements are in the model.
    pub fn of(tensor: &'t TensorProto) -> Option<Self> {
        let entry = |key: &str| {
            let mut entries = tensor.external_data.iter();
            entries.find(|it| it.key == key).map(|it| it.value.as_str())
        };
        let number = |text: &str| text.parse().unwrap_or(u64::MAX);
        (tensor.data_location == EXTERNAL).then(|| Self {
            location: entry("location").unwrap_or_default(),
            offset: entry("offset").map_or(0, number),
            length: entry("length").map(number),
        })
    }

    /// Has an initializer say so.
    pub fn give_to(&self, tensor: &mut TensorProto) {
        let entries = [
            ("location", Some(self.location.to_owned())),
            ("offset", Some(self.offset.to_string())),
            ("length", self.length.map(|it| it.to_string())),
        ];
        tensor.data_location = EXTERNAL;
        tensor.external_data = entries
            .into_iter()
            .filter_map(|(key, value)| {
                Some(StringStringEntryProto {
                    key: key.to_owned(),
                    value: value?,
                })
            })
            .collect();
    }

    /// Whether the file is one of the model's own folder, as engines demand.
    pub fn is_beside_model(&self) -> bool {
        let mut parts = Path::new(self.location).components();
        matches!(parts.next(), Some(Component::Normal(it)) if it == self.location)
            && parts.next().is_none()
    }

    /// The elements in a file of `size` bytes; they may end behind its end.
    pub fn range(&self, size: u64) -> Range<u64> {
        let length = self.length.unwrap_or(size.saturating_sub(self.offset));
        self.offset..self.offset.saturating_add(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(location: &str) -> ExternalData<'_> {
        ExternalData {
            location,
            offset: 0,
            length: None,
        }
    }

    #[test]
    fn only_a_bare_name_is_beside_the_model() {
        for name in ["weights.onnx_data", "权重", ".hidden"] {
            assert!(place(name).is_beside_model(), "{name}");
        }
        for name in ["", ".", "..", "../w", "a/w", "/w", "w/", "./w"] {
            assert!(!place(name).is_beside_model(), "{name}");
        }
    }

    #[test]
    fn what_is_no_number_lies_behind_the_end() {
        let mut tensor = TensorProto::default();
        place("w").give_to(&mut tensor);
        tensor.external_data[1].value = "-1".to_owned();
        let range = ExternalData::of(&tensor).map(|it| it.range(10));
        assert_eq!(range, Some(u64::MAX..u64::MAX));
    }

    #[test]
    fn without_a_length_all_the_rest_is_meant() {
        let rest = ExternalData {
            offset: 4,
            ..place("w")
        };
        assert_eq!(rest.range(10), 4..10);
        assert_eq!(rest.range(3), 4..4);
    }
}
