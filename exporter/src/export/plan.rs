use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;

use nezha_graphs::{GraphOptions, Head, Metadata, Precision};

use super::digest::Digest;
use super::folder::{Sidecar, weights_name};
use super::placement::{InPlace, links};
use super::progress::Progress;
use super::staged_files::{StagedFiles, StagedWeights, Written};
use super::survey::has_pooler;
use super::tokenizer::TokenizerFolder;
use super::{Artifact, ExportError, ExportOptions, Heads, Layout, Placement, Warning, WrittenFile};
use crate::checkpoint::Checkpoint;
use crate::graph::{Graph, Weights};
use crate::nezha::{self, BuildError};
use crate::onnx::{Links, Message, Staged, WeightsFile, WriteError, encode_metadata};

/// Everything that is decided before the first byte is written.
pub(super) struct Plan<'c> {
    checkpoint: &'c Checkpoint,
    heads: Vec<Head>,
    /// What the graphs really take and give.
    options: GraphOptions,
    opset: u32,
    precision: Precision,
    /// The graph of each head.
    graphs: Vec<Graph>,
    /// The folder of the models and their weights.
    models: PathBuf,
    /// The file of each head.
    paths: Vec<PathBuf>,
    layout: Layout,
    placement: Placement,
    /// Where linked weights are.
    links: Links,
}

impl<'c> Plan<'c> {
    pub fn new(
        checkpoint: &'c Checkpoint,
        folder: &Path,
        heads: Vec<Head>,
        options: &ExportOptions,
    ) -> Result<Self, ExportError> {
        let linked = options.weights == Placement::Linked;
        let mut graph = options.graph.clone();
        // Without its weights, a base model has no `pooler_output` to give.
        graph.pooler &= has_pooler(checkpoint);
        let graphs = heads
            .iter()
            .map(|&head| {
                build(
                    checkpoint,
                    head,
                    &graph,
                    options.opset,
                    options.precision,
                    linked,
                )
            })
            .collect::<Result<Vec<Graph>, BuildError>>()
            .map_err(|source| ExportError::Build {
                folder: checkpoint.folder().to_owned(),
                source,
            })?;
        let links = match options.weights {
            Placement::Linked => links(checkpoint, &graphs, options.precision, folder)?,
            _ => Links::new(),
        };
        let alone = heads.len() == 1 && options.heads != Heads::All;
        let alone = alone || options.layout != Layout::Plain;
        let models = match options.layout.model_folder() {
            "" => folder.to_owned(),
            below => folder.join(below),
        };
        let name = |head: &Head| match alone {
            // Triton takes no other name.
            true if options.layout == Layout::Triton => "model.onnx".to_owned(),
            true => options.precision.file_name("model"),
            false => options.precision.file_name(head.name()),
        };
        let mut plan = Self {
            checkpoint,
            options: graph,
            opset: options.opset,
            precision: options.precision,
            paths: heads.iter().map(|head| models.join(name(head))).collect(),
            models,
            layout: options.layout,
            heads,
            graphs,
            placement: options.weights,
            links,
        };
        plan.placement = plan.resolve()?;
        Ok(plan)
    }

    /// Where the weights go, now that the sizes are known.
    fn resolve(&self) -> Result<Placement, WriteError> {
        let mut sizes = Vec::new();
        for (&head, graph) in self.heads.iter().zip(&self.graphs) {
            // A digest has a fixed length, so that sizes don't wait for it.
            let metadata = self.metadata(head, &"0".repeat(32))?;
            sizes.push(Message::new(graph, &self.links).size() + metadata.len() as u64);
        }
        self.placement
            .resolve(&sizes)
            .map_err(|bytes| WriteError::TooLarge { bytes })
    }

    fn metadata(&self, head: Head, digest: &str) -> Result<Vec<u8>, WriteError> {
        let metadata = Metadata {
            head,
            options: self.options.clone(),
            precision: self.precision,
            config_json: self.checkpoint.config_json().to_owned(),
            source_size: self.checkpoint.size(),
            source_digest: digest.to_owned(),
            exporter_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok(encode_metadata(metadata.to_props()?))
    }

    /// The folder of the models and their weights.
    pub fn models(&self) -> &Path {
        &self.models
    }

    /// Writes all files under temporary names, and then gives each its own.
    pub fn write(
        &self,
        folder: &Path,
        force: bool,
        progress: &mut Progress,
        warnings: &mut Vec<Warning>,
    ) -> Result<Written, WriteError> {
        self.check_targets(force)?;
        let of_layout = self.files_of_layout();
        let mut tokenizer = TokenizerFolder::read(self.checkpoint.folder(), warnings)?;
        if self.layout == Layout::TransformersJs {
            // It knows no defaults.
            tokenizer.name_roles();
        }
        let sidecars = Sidecar::collect(
            self.checkpoint,
            folder,
            of_layout,
            &tokenizer,
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
        progress: &mut Progress,
    ) -> Result<StagedFiles, WriteError> {
        let weights = self.stage_weights(folder, progress)?;
        let links = weights.as_ref().map_or(&self.links, |it| &it.links);
        let mut artifacts = Vec::new();
        for ((&head, graph), path) in self.heads.iter().zip(&self.graphs).zip(&self.paths) {
            let message = Message::new(graph, links);
            progress.expect(message.size());
            let (staged, metadata) = Staged::new(folder, |out| {
                message.write(self.checkpoint, &mut progress.watch(&mut *out))?;
                let metadata = self.metadata(head, digest.get()?)?;
                out.write_all(&metadata)?;
                Ok(metadata.len())
            })?;
            let artifact = Artifact {
                head,
                opset: self.opset,
                precision: self.precision,
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

    /// `config.json` and whatever else the layout wants: paths in the folder, and texts.
    fn files_of_layout(&self) -> Vec<(String, String)> {
        let (config, json) = (self.checkpoint.config(), self.checkpoint.config_json());
        let mut files = Vec::new();
        // Layouts that depend on the head have one.
        if let [head, ..] = *self.heads {
            files.push((
                "config.json".to_owned(),
                self.layout.config_json(json, head),
            ));
            files.extend(self.layout.more_files(config, head, &self.options));
        }
        files
    }

    fn check_targets(&self, force: bool) -> Result<(), WriteError> {
        for path in &self.paths {
            if path.is_dir() {
                return Err(WriteError::File {
                    path: path.clone(),
                    source: ErrorKind::IsADirectory.into(),
                });
            }
            if !force && path.symlink_metadata().is_ok() {
                return Err(WriteError::Exists { path: path.clone() });
            }
        }
        Ok(())
    }

    fn stage_weights(
        &self,
        folder: &Path,
        progress: &mut Progress,
    ) -> Result<Option<StagedWeights>, WriteError> {
        if self.placement != Placement::External {
            return Ok(None);
        }
        let file = WeightsFile::new(&self.graphs);
        progress.expect(file.size());
        let (staged, digest) = Staged::new(folder, |out| {
            file.write(self.checkpoint, &mut progress.watch(out))
        })?;
        let name = weights_name(&digest);
        Ok(Some(StagedWeights {
            staged,
            links: file.links(&name),
            file: WrittenFile {
                path: self.models.join(&name),
                bytes: file.size(),
            },
        }))
    }
}

/// The graph of `head` over the checkpoint's weights, `linked` to where they are or not.
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
    nezha::build(
        weights,
        checkpoint.config(),
        head,
        options,
        opset,
        precision,
    )
}
