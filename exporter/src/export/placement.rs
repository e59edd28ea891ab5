use std::io;
use std::path::{Path, PathBuf};

use nezha_graphs::Precision;

use crate::checkpoint::{Checkpoint, Storage};
use crate::graph::{Content, Graph, Weights};
use crate::onnx::{Link, Links, MESSAGE_LIMIT};

/// Where the weights of an artifact are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Placement {
    /// Embedded if there is one head and its message stays below 2 GB in each precision; otherwise
    /// external.
    #[default]
    Auto,
    /// Inside of the `.onnx`: a single file of at most 2 GB.
    Embedded,
    /// In one `weights.<digest>.onnx_data` beside the `.onnx`, which all heads and precisions
    /// share.
    External,
    /// In the checkpoint's own files, which must be in the folder of the `.onnx`. Only a few
    /// kilobytes are written, and the engine transposes matrices.
    Linked,
}

impl Placement {
    /// What `Auto` means for this number of heads, given the size of each message with embedded
    /// weights, in bytes.
    ///
    /// # Errors
    /// The size of the largest message in bytes, if it should be embedded but is too large.
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

/// Why weights can't be linked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Engines look for weights only beside the `.onnx`.
    #[error(
        "{} is not in {}, and linked weights have to be beside the .onnx: make the checkpoint's \
         folder the target, or write external weights",
        file.display(), folder.display()
    )]
    OtherFolder {
        /// The checkpoint's file.
        file: PathBuf,
        /// The target folder.
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
    /// The graph needs another element type of a weight than the file has.
    #[error(
        "tensor '{name}' is stored as {storage}, and the graph needs {needed}: weights that have to \
         be converted can't be linked; write external ones"
    )]
    Conversion {
        /// The weight.
        name: String,
        /// The storage type in the file.
        storage: Storage,
        /// The storage type that the graph needs.
        needed: Storage,
    },
    /// Quantized weights are not in the checkpoint.
    #[error(
        "{precision} weights are computed from the checkpoint's, so they can't be linked: \
         write external ones"
    )]
    Quantized {
        /// The precision that was asked for.
        precision: Precision,
    },
    /// The weight is not stored in row-major order.
    #[error(
        "tensor '{name}' is not stored row by row, so it can't be linked: write external weights"
    )]
    Scattered {
        /// The weight.
        name: String,
    },
    /// The file's metadata can't be read.
    #[error("{}: can't be read", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file's name can't be written in an `.onnx`.
    #[error("{}: the file's name is not valid UTF-8, which an .onnx can't point to", file.display())]
    NotUtf8 {
        /// The file.
        file: PathBuf,
    },
}

/// A checkpoint's weights, for graphs that link them.
pub(super) struct InPlace<'c>(pub &'c Checkpoint);

impl Weights for InPlace<'_> {
    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.0.shape(name)
    }

    fn in_place(&self) -> bool {
        true
    }
}

/// The places in the checkpoint's own files, which must be in `folder`, of the weights of graphs in
/// some precisions.
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

/// The name of `file`, which must be in `folder` and have no other name.
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
    // A target that doesn't exist yet can't be the checkpoint's folder.
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
