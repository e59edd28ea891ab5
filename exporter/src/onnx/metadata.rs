use std::borrow::Cow;
use std::io::{self, ErrorKind};

use prost::DecodeError;
use prost::encoding::{WireType, decode_key, decode_varint, skip_field};

use super::{WriteError, encode_metadata};

/// Field number of `ModelProto.metadata_props`.
const METADATA_PROPS: u32 = 14;

/// Field number of `StringStringEntryProto.key`.
const KEY: u32 = 1;

/// Sets `key` to `value` in the metadata of an encoded model and copies all other fields unchanged.
/// Returns the pieces to write one after the other.
///
/// Only the field headers are decoded, so that gigabytes of weights stay in the mapped file.
///
/// # Errors
/// [`WriteError::Io`] if the bytes are not a complete model.
pub(crate) fn with_metadata<'b>(
    model: &'b [u8],
    key: &str,
    value: &str,
) -> Result<Vec<Cow<'b, [u8]>>, WriteError> {
    let mut parts: Vec<Cow<[u8]>> = Vec::new();
    let (mut rest, mut kept) = (model, model);
    while !rest.is_empty() {
        let before = model.len() - rest.len();
        let (field, wire_type) = decode_key(&mut rest).map_err(invalid)?;
        let is_key = match (field, wire_type) {
            (METADATA_PROPS, WireType::LengthDelimited) => {
                key_of(content(&mut rest)?)? == key.as_bytes()
            }
            _ => {
                skip_field(wire_type, field, &mut rest, Default::default()).map_err(invalid)?;
                false
            }
        };
        if is_key {
            let kept_from = model.len() - kept.len();
            parts.push(Cow::Borrowed(&model[kept_from..before]));
            kept = rest;
        }
    }
    parts.push(Cow::Borrowed(kept));
    let entry = encode_metadata(vec![(key.to_owned(), value.to_owned())]);
    parts.push(Cow::Owned(entry));
    Ok(parts)
}

/// The key of an entry; empty if it has none.
fn key_of(mut entry: &[u8]) -> io::Result<&[u8]> {
    let mut key: &[u8] = &[];
    while !entry.is_empty() {
        let (field, wire_type) = decode_key(&mut entry).map_err(invalid)?;
        match (field, wire_type) {
            (KEY, WireType::LengthDelimited) => key = content(&mut entry)?,
            _ => skip_field(wire_type, field, &mut entry, Default::default()).map_err(invalid)?,
        }
    }
    Ok(key)
}

/// Splits off the content of a field, which starts with its length.
fn content<'b>(rest: &mut &'b [u8]) -> io::Result<&'b [u8]> {
    let length = usize::try_from(decode_varint(rest).map_err(invalid)?);
    let split = length.ok().and_then(|length| rest.split_at_checked(length));
    let (content, after) = split.ok_or(ErrorKind::UnexpectedEof)?;
    *rest = after;
    Ok(content)
}

fn invalid(error: DecodeError) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use nezha_graphs::decode_model;
    use nezha_graphs::proto::{GraphProto, ModelProto, ValueInfoProto};
    use prost::Message as _;

    use super::*;

    fn set(model: &[u8], key: &str, value: &str) -> Vec<u8> {
        with_metadata(model, key, value).unwrap().concat()
    }

    #[test]
    fn a_key_is_replaced_and_everything_else_stays() {
        let props = [("a", "1"), ("b", "2"), ("c", "3")];
        let mut model = ModelProto {
            ir_version: 8,
            producer_name: "x".repeat(300),
            graph: Some(GraphProto {
                output: vec![ValueInfoProto::default()],
                ..GraphProto::default()
            }),
            ..ModelProto::default()
        }
        .encode_to_vec();
        for (key, value) in props {
            model.extend(encode_metadata(vec![(key.to_owned(), value.to_owned())]));
        }
        let changed = decode_model(set(&model, "b", "new").into()).unwrap();
        let found: Vec<(&str, &str)> = changed
            .metadata_props
            .iter()
            .map(|it| (it.key.as_str(), it.value.as_str()))
            .collect();
        assert_eq!(found, [("a", "1"), ("c", "3"), ("b", "new")]);
        assert_eq!(changed.producer_name.len(), 300);
        let twice = set(&set(&model, "b", "new"), "b", "new");
        assert_eq!(
            twice,
            set(&model, "b", "new"),
            "setting again changes nothing"
        );
    }

    #[test]
    fn bytes_that_are_cut_short_are_refused() {
        let model = encode_metadata(vec![("key".to_owned(), "value".to_owned())]);
        for length in 1..model.len() {
            let error = with_metadata(&model[..length], "key", "new").unwrap_err();
            assert!(matches!(error, WriteError::Io(_)), "{length}: {error}");
        }
    }
}
