use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nezha_graphs::proto::{ModelProto, ValueInfoProto};
use nezha_graphs::{
    Config, Metadata, MetadataError, Port, ReadModelError, Signature, SignatureError, read_model,
};

/// An `.onnx` file: its messages decoded, its weights left in the mapped file.
///
/// Any model opens whose inputs and outputs are tensors of known rank; those that nezha-onnx
/// exported also have [`metadata`](Model::metadata).
#[derive(Debug)]
pub struct Model {
    path: PathBuf,
    proto: ModelProto,
    signature: Signature,
    metadata: Option<Metadata>,
    config: Option<Config>,
}

/// Why a file is not a model that can be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file can't be read, or is no ONNX model.
    #[error(transparent)]
    Read(#[from] ReadModelError),
    /// An input or output can't be described.
    #[error("{}: not a graph of NEZHA's", path.display())]
    Signature {
        /// The file.
        path: PathBuf,
        /// Which one, and why.
        source: SignatureError,
    },
    /// The metadata of nezha-onnx is there, but broken.
    #[error("{}: what it says of itself can't be used", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// Which key, and why.
        source: MetadataError,
    },
}

impl Model {
    /// Maps and decodes a file; no weight is copied.
    ///
    /// The file must not be shortened while the model lives: reading a page that is gone ends the
    /// process.
    ///
    /// # Errors
    /// Any [`ModelError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref().to_path_buf();
        let proto = read_model(&path)?;
        let mut signature = signature(&proto).map_err(|source| ModelError::Signature {
            path: path.clone(),
            source,
        })?;
        let (metadata, config) = metadata(&proto)
            .map_err(|source| ModelError::Metadata {
                path: path.clone(),
                source,
            })?
            .unzip();
        if let Some(metadata) = &metadata {
            signature.named_by(&metadata.options.rename);
        }
        Ok(Self {
            path,
            proto,
            signature,
            metadata,
            config,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names, dtypes and shapes of the inputs that have to be given, and of the outputs.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// What the exporter wrote about it; `None` for a model of another exporter.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// The checkpoint's config, from the metadata.
    pub fn config(&self) -> Option<&Config> {
        self.config.as_ref()
    }

    /// The version of the standard operators; `None` where the model doesn't import them.
    pub fn opset(&self) -> Option<i64> {
        let standard = |domain: &str| domain.is_empty() || domain == "ai.onnx";
        let mut imports = self.proto.opset_import.iter();
        imports
            .find(|it| standard(it.domain()))
            .map(|it| it.version)
    }

    /// The messages, weights as views of the mapped file.
    pub fn proto(&self) -> &ModelProto {
        &self.proto
    }
}

/// Older exporters list initializers among the inputs; those need not be given.
fn signature(proto: &ModelProto) -> Result<Signature, SignatureError> {
    let graph = || proto.graph.iter();
    let initializers: BTreeSet<&str> = graph()
        .flat_map(|it| &it.initializer)
        .map(|tensor| tensor.name.as_str())
        .collect();
    let given = |input: &&ValueInfoProto| !initializers.contains(input.name.as_str());
    Ok(Signature {
        inputs: graph()
            .flat_map(|it| &it.input)
            .filter(given)
            .map(Port::from_proto)
            .collect::<Result<_, _>>()?,
        outputs: graph()
            .flat_map(|it| &it.output)
            .map(Port::from_proto)
            .collect::<Result<_, _>>()?,
    })
}

fn metadata(proto: &ModelProto) -> Result<Option<(Metadata, Config)>, MetadataError> {
    let props = proto.metadata_props.iter();
    let mut props = props
        .map(|it| (it.key.as_str(), it.value.as_str()))
        .filter(|(key, _)| key.starts_with("nezha."))
        .peekable();
    if props.peek().is_none() {
        return Ok(None);
    }
    let metadata = Metadata::from_props(props)?;
    let config = metadata.config()?;
    Ok(Some((metadata, config)))
}
