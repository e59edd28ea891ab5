use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// The branch if none is named.
const MAIN: &str = "main";

/// The most characters of owner and name together, and of a revision.
const NAME_LIMIT: usize = 200;

/// Endings that mark a name as that of a file, even if the file doesn't exist.
const FILES: [&str; 9] = [
    "bin",
    "ckpt",
    "h5",
    "json",
    "onnx",
    "pdparams",
    "pt",
    "pth",
    "safetensors",
];

/// A model on the hub: `owner/name`, or `owner/name@revision`.
///
/// A revision is a branch, a tag, a commit or a pull request (`refs/pr/1`); by default `main`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelId {
    owner: String,
    name: String,
    revision: String,
}

/// A text that isn't the name of a model on the hub.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not the name of a model on the hub: {reason}")]
pub struct InvalidModelId {
    /// The text.
    pub text: String,
    /// What is wrong.
    pub reason: &'static str,
}

impl ModelId {
    /// Reads `given` as a model's name, unless it is or looks like a path.
    pub fn unless_path(given: &Path) -> Option<Self> {
        if given.symlink_metadata().is_ok() {
            return None;
        }
        let ending = given.extension().and_then(|it| it.to_str());
        if ending.is_some_and(|it| FILES.contains(&it)) {
            return None;
        }
        let model: Self = given.to_str()?.parse().ok()?;
        // The owner's name is an existing folder: this is a mistyped path.
        (!Path::new(model.owner()).exists()).then_some(model)
    }

    /// `owner/name`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The model's owner.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The branch, tag or commit.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Whether the revision is a commit, which never changes.
    pub(crate) fn is_commit(&self) -> bool {
        is_commit(&self.revision)
    }

    /// Its folder in the cache.
    pub(crate) fn folder(&self) -> String {
        format!("models--{}--{}", self.owner, self.name)
    }
}

/// Whether a text is the full hash of a commit.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && is_hexadecimal(text)
}

/// Whether a text has only lower-case hexadecimal digits, as the hub writes checksums.
pub(crate) fn is_hexadecimal(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

impl FromStr for ModelId {
    type Err = InvalidModelId;

    fn from_str(text: &str) -> Result<Self, InvalidModelId> {
        let invalid = |reason| InvalidModelId {
            text: text.to_owned(),
            reason,
        };
        let (path, revision) = text.split_once('@').unwrap_or((text, MAIN));
        let (owner, name) = path
            .split_once('/')
            .ok_or_else(|| invalid("expected owner/name or owner/name@revision"))?;
        if path.len() > NAME_LIMIT {
            return Err(invalid("it is too long"));
        }
        if ![owner, name].into_iter().all(is_part_of_name) {
            return Err(invalid(
                "owner and name consist of ASCII letters, digits, '-', '_' and '.', without '-' or \
                 '.' at either end, '--' and '..'",
            ));
        }
        if !is_revision(revision) {
            return Err(invalid(
                "a revision is a branch, a tag, a commit or refs/pr/N after the '@'",
            ));
        }
        Ok(Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
            revision: revision.to_owned(),
        })
    }
}

fn is_part_of_name(part: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !part.is_empty()
        && part.bytes().all(known)
        && !part.contains("--")
        && !part.contains("..")
        && !part.starts_with(['-', '.'])
        && !part.ends_with(['-', '.'])
}

/// A revision becomes the path of a file in the cache.
fn is_revision(revision: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
    revision.len() <= NAME_LIMIT
        && revision
            .split('/')
            .all(|part| part.bytes().all(known) && !part.starts_with('.') && !part.is_empty())
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)?;
        match self.revision.as_str() {
            MAIN => Ok(()),
            revision => write!(f, "@{revision}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_with_its_revision() {
        for (text, name, revision) in [
            ("sijunhe/nezha-cn-base", "sijunhe/nezha-cn-base", "main"),
            ("a/b.c_d@v1.0", "a/b.c_d", "v1.0"),
            ("a/b@refs/pr/3", "a/b", "refs/pr/3"),
        ] {
            let model: ModelId = text.parse().unwrap();
            assert_eq!((model.name().as_str(), model.revision()), (name, revision));
            assert_eq!(model.to_string(), text);
        }
        let model: ModelId = "a/b@main".parse().unwrap();
        assert_eq!(model.to_string(), "a/b");
        assert_eq!(model.folder(), "models--a--b");
    }

    #[test]
    fn what_could_be_a_path_or_lead_out_of_the_cache_is_no_name() {
        for text in [
            "nezha-cn-base",
            "./a/b",
            "../b",
            "/a/b",
            "a/b/c",
            "a/..",
            "a/.b",
            "a--b/c",
            "a/b@",
            "a/b@../c",
            "a/b@x/../../y",
            "a/b@/etc/passwd",
            "a/b@a\\b",
            "a\\b/c",
            "模型/b",
            "a/b@refs//pr",
            "",
        ] {
            let error = text.parse::<ModelId>().unwrap_err();
            assert_eq!(error.text, text);
        }
    }

    #[test]
    fn a_model_is_meant_only_where_no_path_can_be() {
        let name = |given: &str| ModelId::unless_path(Path::new(given)).map(|it| it.to_string());
        for given in ["sijunhe/nezha-cn-base", "a/b@v1", "a/nezha-v1.0"] {
            assert_eq!(name(given).as_deref(), Some(given));
        }
        for given in [
            "src/id.rs",
            "src/mistyped",
            "nezha-tiny-zh",
            "./a/b",
            "/a/b",
            "out/model.onnx",
            "out/model.safetensors",
        ] {
            assert_eq!(name(given), None, "{given}");
        }
    }
}
