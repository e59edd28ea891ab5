use std::io;
use std::path::{Path, PathBuf};

use nezha_graphs::Precision;

use crate::checkpoint::{Checkpoint, Storage};
use crate::graph::{Content, Graph, Weights};
use crate::onnx::{Link, Links, MESSAGE_LIMIT};

/// Where the weights of an artifact are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Placement {
    /// Embedded for one head whose messages stay below 2 GB, in whatever precisions; else external.
    #[default]
    Auto,
    /// Inside of the `.onnx`: one file to carry, at most 2 GB.
    Embedded,
    /// In one `weights.<digest>.onnx_data` beside the `.onnx`, which several heads and precisions
    /// share.
    External,
    /// In the checkpoint's own files, to which the `.onnx` beside them points; a few kilobytes
    /// are written. Matrices are then transposed by the engine.
    Linked,
}

impl Placement {
    /// What `Auto` comes to for so many heads, given the bytes of each message with its weights
    /// inside.
    ///
    /// # Errors
    /// The size of the largest message, where it is to be embedded and can't be.
    pub fn resolve(self, heads: usize, messages: &[u64]) -> Result<Self, u64> {
        let largest = messages.iter().copied().max().unwrap_or(0);
        match self {
            Placement::Auto if heads == 1 && largest <= MESSAGE_LIMIT => Ok(Placement::Embedded),
            Placement::Auto => Ok(Placement::External),
            Placement::Embedded if largest > MESSAGE_LIMIT => Err(largest),
            named => Ok(named),
        }
    }
}

/// Why an artifact can't point to the weights where they are.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Engines look for weights beside the `.onnx` only.
    #[error(
        "{} is not in {}, and linked weights have to be beside the .onnx: make the checkpoint's \
         folder the target, or write external weights",
        file.display(), folder.display()
    )]
    OtherFolder {
        /// The checkpoint's file.
        file: PathBuf,
        /// The target.
        folder: PathBuf,
    },
    /// Engines and onnx.checker refuse symbolic links.
    #[error(
        "{} is a symbolic link, which engines refuse to follow: copy the file to a folder of its \
         own, or write external weights",
        file.display()
    )]
    Symlink {
        /// The checkpoint's file.
        file: PathBuf,
    },
    /// onnx.checker refuses hard links.
    #[error(
        "{} has other names too (hard links), which onnx.checker refuses: copy the file to a \
         folder of its own, or write external weights",
        file.display()
    )]
    HardLink {
        /// The checkpoint's file.
        file: PathBuf,
    },
    /// A weight that the graph has in another element type than the file.
    #[error(
        "tensor '{name}' is stored as {storage}, and the graph needs {needed}: weights that have to \
         be converted can't be linked; write external ones"
    )]
    Conversion {
        /// The weight.
        name: String,
        /// How it is stored.
        storage: Storage,
        /// How the graph needs it.
        needed: Storage,
    },
    /// Quantized weights are in no checkpoint.
    #[error(
        "{precision} weights are computed from the checkpoint's, so they can't be linked: \
         write external ones"
    )]
    Quantized {
        /// What was asked for.
        precision: Precision,
    },
    /// A weight that does not lie row by row.
    #[error(
        "tensor '{name}' does not lie row by row in its file, so that it can't be linked: \
         write external weights"
    )]
    Scattered {
        /// The weight.
        name: String,
    },
    /// The file system does not say what a file is.
    #[error("{}: can't be read", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// A name that an `.onnx` can't hold.
    #[error("{}: the file's name is not valid UTF-8, which an .onnx can't point to", file.display())]
    NotUtf8 {
        /// The file.
        file: PathBuf,
    },
}

/// A checkpoint's weights for graphs that point to them.
pub(super) struct InPlace<'c>(pub &'c Checkpoint);

impl Weights for InPlace<'_> {
    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.0.shape(name)
    }

    fn in_place(&self) -> bool {
        true
    }
}

/// Where in the checkpoint's own files, which have to be in `folder`, the weights of graphs in some
/// precisions lie.
pub(super) fn links<'g>(
    checkpoint: &Checkpoint,
    graphs: impl Iterator<Item = (Precision, &'g Graph)>,
    folder: &Path,
) -> Result<Links, LinkError> {
    let mut links = Links::new();
    for (precision, graph) in graphs {
        let needed = match precision {
            Precision::Fp32 => Storage::F32,
            Precision::Fp16 | Precision::Fp16Storage => Storage::F16,
            Precision::Int8 | Precision::W8 | Precision::Q8 | Precision::Q4 => {
                return Err(LinkError::Quantized { precision });
            }
        };
        for initializer in &graph.initializers {
            let content = &initializer.content;
            if let Content::Weight { name, .. } = content
                && !links.contains_key(content)
            {
                links.insert(content.clone(), link(checkpoint, name, needed, folder)?);
            }
        }
    }
    Ok(links)
}

fn link(
    checkpoint: &Checkpoint,
    name: &str,
    needed: Storage,
    folder: &Path,
) -> Result<Link, LinkError> {
    let scattered = || LinkError::Scattered {
        name: name.to_owned(),
    };
    let weight = checkpoint.weight(name).ok_or_else(scattered)?;
    let location = weight.location.as_ref().ok_or_else(scattered)?;
    if weight.storage != needed {
        return Err(LinkError::Conversion {
            name: name.to_owned(),
            storage: weight.storage,
            needed,
        });
    }
    Ok(Link {
        location: file_beside(&location.file, folder)?,
        offset: location.offset,
        length: location.length,
    })
}

/// The name of `file`, which is in `folder` and has no other name.
fn file_beside(file: &Path, folder: &Path) -> Result<String, LinkError> {
    let unreadable = |source| LinkError::Unreadable {
        file: file.to_owned(),
        source,
    };
    let metadata = file.symlink_metadata().map_err(unreadable)?;
    if metadata.is_symlink() {
        return Err(LinkError::Symlink {
            file: file.to_owned(),
        });
    }
    let parent = file
        .canonicalize()
        .map(|it| it.parent().map(Path::to_owned))
        .map_err(unreadable)?;
    // A target that is not there yet is not the checkpoint's folder either.
    if parent.is_none() || folder.canonicalize().ok() != parent {
        return Err(LinkError::OtherFolder {
            file: file.to_owned(),
            folder: folder.to_owned(),
        });
    }
    if has_other_names(&metadata) {
        return Err(LinkError::HardLink {
            file: file.to_owned(),
        });
    }
    let name = file.file_name().and_then(|it| it.to_str());
    name.map(str::to_owned).ok_or_else(|| LinkError::NotUtf8 {
        file: file.to_owned(),
    })
}

#[cfg(unix)]
fn has_other_names(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
fn has_other_names(_: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    #[test]
    fn auto_embeds_one_head_up_to_the_limit_of_protobuf() {
        let auto = |messages: &[u64]| Placement::Auto.resolve(1, messages);
        assert_eq!(auto(&[GB]), Ok(Placement::Embedded));
        assert_eq!(auto(&[MESSAGE_LIMIT]), Ok(Placement::Embedded));
        assert_eq!(auto(&[MESSAGE_LIMIT + 1]), Ok(Placement::External));
    }

    #[test]
    fn auto_embeds_each_precision_of_one_head() {
        let auto = |messages: &[u64]| Placement::Auto.resolve(1, messages);
        assert_eq!(auto(&[GB, GB / 4]), Ok(Placement::Embedded));
        assert_eq!(auto(&[MESSAGE_LIMIT + 1, GB]), Ok(Placement::External));
    }

    #[test]
    fn auto_lets_several_heads_share_one_file() {
        let found = Placement::Auto.resolve(2, &[GB, GB]);
        assert_eq!(found, Ok(Placement::External));
    }

    #[test]
    fn what_is_named_is_done_or_refused() {
        let above = MESSAGE_LIMIT + 1;
        assert_eq!(Placement::Embedded.resolve(2, &[GB, above]), Err(above));
        for placement in [Placement::Embedded, Placement::External, Placement::Linked] {
            assert_eq!(placement.resolve(2, &[GB, GB]), Ok(placement));
        }
    }
}
