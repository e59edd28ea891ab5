use std::ops::Range;
use std::path::{Component, Path};

use crate::proto::{StringStringEntryProto, TensorProto};

/// Value of `TensorProto.DataLocation.EXTERNAL`.
const EXTERNAL: i32 = 1;

/// The place of an initializer's elements in another file: ONNX's
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
    /// Path of the file, relative to the model's folder.
    pub location: &'t str,
    /// Position of the first element in the file, in bytes. An offset that is not a number is read
    /// as [`u64::MAX`], behind the end of every file.
    pub offset: u64,
    /// Size of all elements in bytes; `None` means up to the end of the file.
    pub length: Option<u64>,
}

impl<'t> ExternalData<'t> {
    /// The external data of an initializer; `None` if its elements are in the model.
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

    /// Makes this the external data of an initializer.
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

    /// Whether the file is directly in the model's folder, as engines require.
    pub fn is_beside_model(&self) -> bool {
        let mut parts = Path::new(self.location).components();
        matches!(parts.next(), Some(Component::Normal(it)) if it == self.location)
            && parts.next().is_none()
    }

    /// The range of the elements in a file of `size` bytes; it may end after the end of the file.
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
