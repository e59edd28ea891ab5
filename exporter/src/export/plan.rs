use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;

use nezha_graphs::files::{FileError, Staged};
use nezha_graphs::{GraphOptions, Head, Metadata, OptionError, Precision, Signature};

use super::digest::Digest;
use super::folder::{Sidecar, weights_name};
use super::placement::{InPlace, links};
use super::progress::Counter;
use super::staged_files::{StagedFiles, StagedWeights, Written};
use super::survey::has_pooler;
use super::tokenizer::TokenizerFolder;
use super::{
    Artifact, ExportError, ExportOptions, Heads, Layout, Placement, TritonOptions, Warning,
    WrittenFile,
};
use crate::checkpoint::Checkpoint;
use crate::graph::{Graph, GraphError, Weights};
use crate::nezha::{self, BuildError};
use crate::onnx::{Links, Message, WeightsFile, WriteError, encode_metadata};
use crate::passes;

/// All decisions that are made before the first byte is written.
pub(super) struct Plan<'c> {
    checkpoint: &'c Checkpoint,
    /// What is written: heads with their precisions.
    models: Vec<(Head, Precision)>,
    /// The options that the graphs really have.
    options: GraphOptions,
    opset: u32,
    /// The graph of each model.
    graphs: Vec<Graph>,
    /// The folder that contains the models and their weights.
    folder: PathBuf,
    /// The file of each model.
    paths: Vec<PathBuf>,
    layout: Layout,
    triton: TritonOptions,
    placement: Placement,
    /// The places of linked weights.
    links: Links,
}

impl<'c> Plan<'c> {
    pub(super) fn new(
        checkpoint: &'c Checkpoint,
        folder: &Path,
        models: Vec<(Head, Precision)>,
        options: &ExportOptions,
    ) -> Result<Self, ExportError> {
        let linked = options.weights == Placement::Linked;
        let mut graph = options.graph.clone();
        // Without the pooler's weights, a base model has no `pooler_output`.
        graph.pooler &= has_pooler(checkpoint);
        graph.gather = options.layout.rules().gather().unwrap_or(graph.gather);
        let graphs = models
            .iter()
            .map(|&(head, precision)| {
                build(checkpoint, head, &graph, options.opset, precision, linked)
            })
            .collect::<Result<Vec<Graph>, BuildError>>()
            .map_err(|source| ExportError::Build {
                folder: checkpoint.folder().to_owned(),
                source,
            })?;
        let links = match options.weights {
            Placement::Linked => {
                let precisions = models.iter().map(|(_, precision)| *precision);
                links(checkpoint, precisions.zip(&graphs), folder)?
            }
            _ => Links::new(),
        };
        let folder = match options.layout.rules().model_folder() {
            "" => folder.to_owned(),
            below => folder.join(below),
        };
        let alone = heads(&models) == 1 && options.heads != Heads::All;
        let alone = alone || options.layout.names_no_head();
        let path = |(head, precision): &(Head, Precision)| {
            let stem = if alone { "model" } else { head.name() };
            folder.join(options.layout.rules().file_name(*precision, stem))
        };
        let mut plan = Self {
            checkpoint,
            options: graph,
            opset: options.opset,
            paths: models.iter().map(path).collect(),
            folder,
            layout: options.layout,
            triton: options.triton,
            models,
            graphs,
            placement: options.weights,
            links,
        };
        plan.placement = plan.resolve()?;
        Ok(plan)
    }

    /// Decides where the weights are stored, now that their sizes are known.
    fn resolve(&self) -> Result<Placement, WriteError> {
        let mut sizes = Vec::new();
        for (model, graph) in self.models.iter().zip(&self.graphs) {
            // A digest has a fixed length, so the sizes are known before the digest is.
            let metadata = self.metadata(*model, &"0".repeat(32))?;
            sizes.push(Message::new(graph, &self.links).size() + metadata.len() as u64);
        }
        let placement = match self.placement {
            Placement::Auto => self.layout.rules().placement().unwrap_or_default(),
            placement => placement,
        };
        placement
            .resolve(heads(&self.models), &sizes)
            .map_err(|bytes| WriteError::TooLarge { bytes })
    }

    fn metadata(
        &self,
        (head, precision): (Head, Precision),
        digest: &str,
    ) -> Result<Vec<u8>, WriteError> {
        let metadata = Metadata {
            head,
            options: self.options.clone(),
            precision,
            config_json: self.checkpoint.config_json().to_owned(),
            source_size: self.checkpoint.size(),
            source_digest: digest.to_owned(),
            exporter_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok(encode_metadata(metadata.to_props()?))
    }

    /// The weights file beside the models, if the weights are external.
    fn weights_file(&self) -> Option<WeightsFile<'_>> {
        (self.placement == Placement::External).then(|| WeightsFile::new(&self.graphs))
    }

    /// Size of the models without their metadata, and of the weights beside them, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let weights = self.weights_file();
        // A placeholder as long as the name will be.
        let name = weights_name(&"0".repeat(32));
        let links = weights.as_ref().map(|it| it.links(&name));
        let links = links.as_ref().unwrap_or(&self.links);
        let models = self.graphs.iter().map(|it| Message::new(it, links).size());
        models.sum::<u64>() + weights.map_or(0, |it| it.size())
    }

    /// The folder that contains the models and their weights.
    pub(super) fn models(&self) -> &Path {
        &self.folder
    }

    /// Writes all files under temporary names, then renames each.
    pub(super) fn write(
        &self,
        folder: &Path,
        force: bool,
        tokenizer: &TokenizerFolder,
        progress: &mut Counter,
        warnings: &mut Vec<Warning>,
    ) -> Result<Written, WriteError> {
        self.check_targets(force)?;
        let of_layout = self.files_of_layout();
        let sidecars = Sidecar::collect(
            self.checkpoint,
            folder,
            of_layout,
            tokenizer,
            force,
            warnings,
        )?;
        let files = thread::scope(|scope| {
            let digest = Digest::begin(scope, self.checkpoint);
            self.stage(folder, digest, &sidecars, progress)
        })?;
        files.commit(folder)
    }

    fn stage(
        &self,
        folder: &Path,
        mut digest: Digest,
        sidecars: &[Sidecar],
        progress: &mut Counter,
    ) -> Result<StagedFiles, WriteError> {
        let weights = self.stage_weights(folder, progress)?;
        let links = weights.as_ref().map_or(&self.links, |it| &it.links);
        let mut artifacts = Vec::new();
        for ((&model, graph), path) in self.models.iter().zip(&self.graphs).zip(&self.paths) {
            let (head, precision) = model;
            let message = Message::new(graph, links);
            let (staged, metadata) = Staged::new(folder, |out| {
                message.write(self.checkpoint, &mut progress.watch(&mut *out))?;
                let metadata = self.metadata(model, digest.get()?)?;
                out.write_all(&metadata)?;
                Ok::<_, WriteError>(metadata.len())
            })?;
            let artifact = Artifact {
                head,
                opset: self.opset,
                precision,
                file: WrittenFile {
                    path: path.clone(),
                    bytes: message.size() + metadata as u64,
                },
            };
            artifacts.push((staged, artifact));
        }
        let sidecars = sidecars
            .iter()
            .map(|it| Ok((it.stage(folder)?, folder.join(&it.name))))
            .collect::<Result<_, WriteError>>()?;
        Ok(StagedFiles {
            weights,
            sidecars,
            artifacts,
        })
    }

    /// `config.json` and the other files of the layout, as paths in the folder and texts.
    fn files_of_layout(&self) -> Vec<(String, String)> {
        let (config, json) = (self.checkpoint.config(), self.checkpoint.config_json());
        let mut files = Vec::new();
        // Layouts that depend on the head have only one.
        if let [model, ..] = *self.models {
            let rules = self.layout.rules();
            let text = rules.config_json(json, config, model.0);
            files.push(("config.json".to_owned(), text));
            let signature = Signature::new(config, model.0, &self.options);
            files.extend(rules.more_files(config, model, &signature, self.triton));
        }
        files
    }

    fn check_targets(&self, force: bool) -> Result<(), WriteError> {
        for path in &self.paths {
            if path.is_dir() {
                return Err(FileError::write(path, ErrorKind::IsADirectory.into()).into());
            }
            if !force && path.symlink_metadata().is_ok() {
                let path = path.clone();
                return Err(FileError::Exists { path }.into());
            }
        }
        Ok(())
    }

    fn stage_weights(
        &self,
        folder: &Path,
        progress: &mut Counter,
    ) -> Result<Option<StagedWeights>, WriteError> {
        let Some(file) = self.weights_file() else {
            return Ok(None);
        };
        let (staged, digest) = Staged::new(folder, |out| {
            file.write(self.checkpoint, &mut progress.watch(out))
        })?;
        let name = weights_name(&digest);
        Ok(Some(StagedWeights {
            staged,
            links: file.links(&name),
            file: WrittenFile {
                path: self.folder.join(&name),
                bytes: file.size(),
            },
        }))
    }
}

/// The number of heads among the models.
fn heads(models: &[(Head, Precision)]) -> usize {
    let heads: BTreeSet<Head> = models.iter().map(|(head, _)| *head).collect();
    heads.len()
}

/// The graph of `head` over the checkpoint's weights, linked if `linked` is true.
pub(crate) fn build(
    checkpoint: &Checkpoint,
    head: Head,
    options: &GraphOptions,
    opset: u32,
    precision: Precision,
    linked: bool,
) -> Result<Graph, BuildError> {
    let weights: &dyn Weights = match linked {
        true => &InPlace(checkpoint),
        false => checkpoint,
    };
    let graph = nezha::build(weights, checkpoint.config(), head, options, opset)?;
    passes::prepare(graph, precision).map_err(|source| match source {
        GraphError::DuplicateName(name) if options.rename.gives(&name) => {
            let reason = "a weight or a node of the graph has it";
            BuildError::Option(OptionError::PortName { name, reason })
        }
        source => BuildError::Graph { head, source },
    })
}
