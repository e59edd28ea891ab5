use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use nezha_graphs::proto::{ModelProto, TensorProto, ValueInfoProto};
use nezha_graphs::{
    Artifact, ArtifactError, Config, DecodeModelError, ExternalData, Head, Metadata, MetadataError,
    Port, ReadModelError, Signature, SignatureError, decode_model, is_packed, map_file, read_model,
};

/// A graph, in an `.onnx` file or in memory. Its structure is decoded; its weights stay where they
/// are.
///
/// Any model can be opened if its inputs and outputs are tensors of known rank; those that
/// nezha-onnx exported also have [`metadata`](Model::metadata).
#[derive(Debug)]
pub struct Model {
    path: PathBuf,
    place: Place,
    proto: ModelProto,
    signature: Signature,
    metadata: Option<Metadata>,
    config: Option<Config>,
}

/// Where the bytes of a model are.
#[derive(Debug)]
enum Place {
    /// In the file at its path, with external weights beside it.
    File,
    /// In memory, with external weights among the artifact's parts.
    Memory { bytes: Bytes, artifact: Artifact },
}

/// Why a model can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file can't be read, or isn't an ONNX model.
    #[error(transparent)]
    Read(#[from] ReadModelError),
    /// The packed model is broken.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The bytes in memory aren't an ONNX model.
    #[error("{}: not a complete ONNX model", path.display())]
    Decode {
        /// The model's name.
        path: PathBuf,
        /// What is wrong.
        source: DecodeModelError,
    },
    /// The artifact has no graph.
    #[error("{}: no graph, none of {}", path.display(), tried.join(", "))]
    NoModel {
        /// The artifact.
        path: PathBuf,
        /// The parts that were looked for.
        tried: Vec<String>,
    },
    /// An input or output has no element type or shape that is supported.
    #[error("{}: the graph has an input or output that is not supported", path.display())]
    Signature {
        /// The file.
        path: PathBuf,
        /// Which input or output, and why.
        source: SignatureError,
    },
    /// The metadata of nezha-onnx can't be used.
    #[error("{}: its metadata can't be used", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// Which key, and why.
        source: MetadataError,
    },
}

impl Model {
    /// Maps and decodes a file; no weight is copied. From a packed file, this opens the graph; if
    /// there are several, the first in the order of [`Head::ALL`].
    ///
    /// The file must not be truncated while the model, or a session that reads weights in place, is
    /// in use: reading a missing page ends the process. Replacing it by another file is safe.
    ///
    /// # Errors
    /// Any [`ModelError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        if is_packed(path) {
            // The path is that of the packed file, so that callers can open it again.
            return Ok(Self {
                path: path.to_path_buf(),
                ..Self::from_artifact(&Artifact::open(path)?)?
            });
        }
        Self::new(path.to_path_buf(), read_model(path)?, Place::File)
    }

    /// Opens the graph of an artifact; if there are several, the first in the order of
    /// [`Head::ALL`].
    ///
    /// # Errors
    /// Any [`ModelError`].
    pub fn from_artifact(artifact: &Artifact) -> Result<Self, ModelError> {
        let part = artifact.model_for(&Head::ALL);
        let part = part.map_err(|tried| ModelError::NoModel {
            path: artifact.origin().to_owned(),
            tried,
        })?;
        Self::part_of(artifact, &part)
    }

    /// Opens a graph with embedded weights, such as an `.onnx` file in the program itself:
    /// `Model::from_bytes(include_bytes!("model.onnx").as_slice())` copies nothing.
    ///
    /// # Errors
    /// Any [`ModelError`].
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Self, ModelError> {
        Self::from_artifact(&Artifact::from_parts([("model.onnx", bytes)])?)
    }

    /// Opens the part of an artifact with this name as a graph.
    pub(crate) fn part_of(artifact: &Artifact, part: &str) -> Result<Self, ModelError> {
        let path = artifact.path_of(part);
        if !artifact.is_in_memory() {
            return Self::open(path);
        }
        // Parts in memory are always readable.
        let bytes = artifact.part(part).ok().flatten().unwrap_or_default();
        let proto = decode_model(bytes.clone()).map_err(|source| ModelError::Decode {
            path: path.clone(),
            source,
        })?;
        let artifact = artifact.clone();
        Self::new(path, proto, Place::Memory { bytes, artifact })
    }

    fn new(path: PathBuf, proto: ModelProto, place: Place) -> Result<Self, ModelError> {
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
            place,
            proto,
            signature,
            metadata,
            config,
        })
    }

    /// The path of the file; if the model is in memory, a name to be shown to people.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of a model in memory; `None` if it is in a file.
    pub fn in_memory(&self) -> Option<&Bytes> {
        match &self.place {
            Place::File => None,
            Place::Memory { bytes, .. } => Some(bytes),
        }
    }

    /// Names, dtypes and shapes of the inputs that must be given, and of the outputs.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// What the exporter wrote about the model; `None` if another program exported it.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// The checkpoint's config, from the metadata; `None` without metadata.
    pub fn config(&self) -> Option<&Config> {
        self.config.as_ref()
    }

    /// The version of the standard operators; `None` if the model doesn't import them.
    pub fn opset(&self) -> Option<i64> {
        let standard = |domain: &str| domain.is_empty() || domain == "ai.onnx";
        let mut imports = self.proto.opset_import.iter();
        imports
            .find(|it| standard(it.domain()))
            .map(|it| it.version)
    }

    /// The decoded messages; their weights are views of the mapped file or of memory.
    pub fn proto(&self) -> &ModelProto {
        &self.proto
    }

    /// Access to the model's weights, mapped or in memory.
    pub(crate) fn weights(&self) -> Weights<'_> {
        Weights {
            model: self,
            files: BTreeMap::new(),
        }
    }

    /// All bytes of the model; a file is mapped.
    pub(crate) fn bytes(&self) -> io::Result<Bytes> {
        match &self.place {
            Place::File => map_file(&self.path),
            Place::Memory { bytes, .. } => Ok(bytes.clone()),
        }
    }

    /// Whether weights take no extra memory where they are: in a mapped file, or in an artifact
    /// that [is shared](Artifact::is_shared).
    #[cfg(feature = "tract")]
    pub(crate) fn weights_are_shared(&self) -> bool {
        match &self.place {
            Place::File => cfg!(any(unix, windows)),
            Place::Memory { artifact, .. } => artifact.is_shared(),
        }
    }

    /// The names of the files with external weights, each once.
    #[cfg(any(feature = "openvino", feature = "ort"))]
    pub(crate) fn weight_files(&self) -> BTreeSet<&str> {
        let graph = self.proto.graph.iter();
        let initializers = graph.flat_map(|it| &it.initializer);
        let places = initializers.filter_map(ExternalData::of);
        places.map(|it| it.location).collect()
    }

    fn file(&self, location: &str) -> Option<Bytes> {
        match &self.place {
            Place::File => {
                let folder = self.path.parent().unwrap_or(Path::new(""));
                map_file(folder.join(location)).ok()
            }
            Place::Memory { artifact, .. } => artifact.part(location).ok().flatten(),
        }
    }
}

/// The elements of a model's initializers, wherever they are stored; each file is opened once.
pub(crate) struct Weights<'m> {
    model: &'m Model,
    files: BTreeMap<String, Option<Bytes>>,
}

/// External weights whose file is missing.
#[derive(Debug, thiserror::Error)]
#[error(
    "the elements of '{tensor}' are not in {location} beside it: put the file there that was \
     exported with the model"
)]
pub(crate) struct MissingWeights {
    tensor: String,
    location: String,
}

impl Weights<'_> {
    /// The elements of an initializer, row-major and little-endian, as a view.
    pub(crate) fn of(&mut self, initializer: &TensorProto) -> Result<Bytes, MissingWeights> {
        let Some(place) = ExternalData::of(initializer) else {
            return Ok(initializer.raw_data.clone());
        };
        let found = self.external(&place);
        found.ok_or_else(|| MissingWeights {
            tensor: initializer.name.clone(),
            location: place.location.to_owned(),
        })
    }

    fn external(&mut self, place: &ExternalData<'_>) -> Option<Bytes> {
        let file = self.whole(place.location)?;
        let range = place.range(file.len() as u64);
        let range = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
        file.get(range.clone())?;
        Some(file.slice(range))
    }

    /// A file in the model's own folder, or a part of its artifact.
    pub(crate) fn whole(&mut self, location: &str) -> Option<Bytes> {
        let place = ExternalData {
            location,
            offset: 0,
            length: None,
        };
        if !place.is_beside_model() {
            return None;
        }
        let file = self.files.entry(location.to_owned());
        file.or_insert_with(|| self.model.file(location)).clone()
    }
}

/// Older exporters list initializers among the inputs; callers need not give those.
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
