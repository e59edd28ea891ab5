//! Formats that are recognized but can't be read, each with a way to convert it.

use std::path::Path;

/// A format of weights that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Refused {
    /// Flax' msgpack.
    Flax,
    /// MindSpore's protobuf.
    MindSpore,
}

impl Refused {
    /// The format of a file that starts with `start`; if the first bytes don't decide, its name
    /// does.
    pub(crate) fn of(path: &Path, start: &[u8]) -> Option<Self> {
        let is_msgpack = path.extension().is_some_and(|it| it == "msgpack");
        if is_msgpack || starts_like_state_in_msgpack(start) {
            return Some(Self::Flax);
        }
        starts_like_mindspore(start).then_some(Self::MindSpore)
    }

    /// The name of the format.
    pub(crate) fn format(self) -> &'static str {
        match self {
            Refused::Flax => "a Flax checkpoint (msgpack)",
            Refused::MindSpore => "a MindSpore checkpoint (protobuf)",
        }
    }

    /// How to convert it.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Refused::Flax => {
                "read it in Python with flax.serialization.msgpack_restore and save its arrays as \
                 safetensors under transformers' names, each kernel transposed"
            }
            Refused::MindSpore => {
                "if the model has no learned table of relative positions (then it is no NEZHA), \
                 read it in Python with mindspore.load_checkpoint and save its arrays as \
                 safetensors under transformers' names"
            }
        }
    }
}

/// A small map whose first key is a string.
fn starts_like_state_in_msgpack(start: &[u8]) -> bool {
    let [first, rest @ ..] = start else {
        return false;
    };
    let key = match first {
        0x81..=0x8f => rest.first(),
        0xde => rest.get(2),
        0xdf => rest.get(4),
        _ => None,
    };
    key.is_some_and(|it| matches!(it, 0xa1..=0xbf | 0xd9))
}

/// `Checkpoint { repeated Value { string tag = 1; TensorProto tensor = 2; … } value = 1; }` with a
/// printable tag.
fn starts_like_mindspore(start: &[u8]) -> bool {
    let Some((0x0a, rest)) = start.split_first().map(|(first, rest)| (*first, rest)) else {
        return false;
    };
    // The length of the value, a varint of at most ten bytes.
    let length = rest.iter().take(10).position(|it| *it < 0x80);
    let value = length.and_then(|at| rest.get(at + 1..));
    let Some([0x0a, length, tag @ ..]) = value else {
        return false;
    };
    let tag = tag
        .get(..usize::from(*length).min(tag.len()))
        .unwrap_or_default();
    *length > 0 && *length < 0x80 && tag.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_that_is_not_read_is_known_by_its_first_bytes() {
        let plain = Path::new("weights");
        let mut mindspore = vec![0x0a, 0xd0, 0x84, 0x29, 0x0a, 4];
        mindspore.extend(b"bert\x12\x01");
        for (start, expected) in [
            (b"\x82\xa6params\x81".as_slice(), Some(Refused::Flax)),
            (&mindspore, Some(Refused::MindSpore)),
            (b"\x80\x02}q\x00.", None),
            (b"\x0a\x0a\x0a", None),
            (b"# Readme", None),
            (b"", None),
        ] {
            assert_eq!(Refused::of(plain, start), expected, "{start:?}");
        }
        assert_eq!(
            Refused::of(Path::new("flax_model.msgpack"), b"\x80"),
            Some(Refused::Flax)
        );
    }
}
