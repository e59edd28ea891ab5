//! The models of a folder, and what is missing of them.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, Heads, Layout, export};
use nezha_graphs::{Config, Gather, Precision};
use nezha_runtime::{EngineKind, Family, Model, OpenVinoPrecision, Way};

use crate::checkpoint_options;
use crate::output;

/// The subfolder of models in OpenVINO's own form.
const OPENVINO: &str = "openvino";

/// What is exported where it is missing, and in OpenVINO's own form.
const PRECISIONS: [Precision; 3] = [Precision::Fp32, Precision::Int8, Precision::W8];
const OF_OPENVINO: [Precision; 2] = [Precision::Fp32, Precision::W8];

/// The models of one head, fp32 first.
pub(super) struct Candidates(Vec<Model>);

impl Candidates {
    /// Every precision of `model.onnx` in a folder and in its subfolder for OpenVINO.
    pub(super) fn in_folder(folder: &Path) -> Result<Self> {
        let folders = [folder.to_owned(), folder.join(OPENVINO)];
        let files = folders
            .iter()
            .flat_map(|it| Precision::ALL.map(|p| it.join(file(p))));
        let mut files: Vec<PathBuf> = files.filter(|it| it.is_file()).collect();
        // fp32 has one name, however its weights are stored.
        files.dedup();
        let models: Vec<Model> = files.iter().map(Model::open).collect::<Result<_, _>>()?;
        match models.first().and_then(Model::metadata) {
            Some(it) if matches!(it.precision, Precision::Fp32 | Precision::Fp16Storage) => {
                Ok(Self(models))
            }
            _ => bail!(
                "{}: no model.onnx in fp32, which the answers are compared with: `nezha export` \
                 writes one, and --checkpoint has it made",
                folder.display()
            ),
        }
    }

    /// Each model in each of the ways that fit it.
    pub(super) fn contenders(&self, ways: &[Way]) -> Vec<(&Model, Way)> {
        let of = |model| {
            ways.iter()
                .filter(move |it| fits(model, **it))
                .map(move |it| (model, *it))
        };
        self.0.iter().flat_map(of).collect()
    }

    /// The same in all usual ways: in ONNX Runtime, in OpenVINO, there in bf16 too, with weights of few bits also with
    /// one scale for all activations that a row of the hidden states has, and in tract.
    pub(super) fn usual(&self) -> Vec<(&Model, Way)> {
        let mut ways: Vec<Way> = [EngineKind::OrtCpu, EngineKind::OpenVinoCpu]
            .map(Way::from)
            .into();
        let bf16 = Way {
            computing: Some(OpenVinoPrecision::Bf16),
            ..EngineKind::OpenVinoCpu.into()
        };
        ways.push(bf16);
        let metadata = self.0.first().and_then(Model::metadata);
        let config = metadata.and_then(|it| Config::from_json(&it.config_json).ok());
        ways.extend(config.map(|it| Way {
            group_size: Some(it.hidden_size as u64),
            ..bf16
        }));
        ways.push(EngineKind::Tract.into());
        self.contenders(&ways)
    }
}

/// A model in OpenVINO's form fits OpenVINO alone; groups fit weights of few bits, which OpenVINO multiplies
/// with activations that it rounds.
fn fits(model: &Model, way: Way) -> bool {
    let metadata = model.metadata();
    let is_flat = metadata.is_some_and(|it| it.options.gather == Gather::Flat);
    let is_w8 = metadata.is_some_and(|it| it.precision == Precision::W8);
    (!is_flat || way.engine.spec().family == Family::OpenVino)
        && (is_w8 || way.group_size.is_none())
}

fn file(precision: Precision) -> String {
    precision.file_name("model")
}

/// Exports the precisions that a folder lacks, as the one that it has was exported.
pub(super) fn export_missing(folder: &Path, checkpoint: &Path) -> Result<()> {
    let path = checkpoint_options::locate(checkpoint)?;
    let checkpoint = Checkpoint::open(&path, &OpenOptions::default())?;
    let known = PRECISIONS.iter().map(|it| folder.join(file(*it)));
    let known: Vec<PathBuf> = known.filter(|it| it.is_file()).collect();
    let mut options = ExportOptions::default();
    if let Some(file) = known.first()
        && let Some(metadata) = Model::open(file)?.metadata()
    {
        if metadata.source_digest != checkpoint.digest()? {
            bail!(
                "{}: was not exported from the checkpoint {}",
                file.display(),
                path.display()
            );
        }
        options.heads = Heads::Named(vec![metadata.head]);
        options.graph = metadata.options.clone();
    }
    for (target, layout, all) in [
        (folder.to_owned(), Layout::Plain, &PRECISIONS[..]),
        (folder.join(OPENVINO), Layout::OpenVino, &OF_OPENVINO),
    ] {
        let missing = all.iter().filter(|it| !target.join(file(**it)).is_file());
        options.precisions = missing.copied().collect();
        options.layout = layout;
        if options.precisions.is_empty() {
            continue;
        }
        for artifact in export(&checkpoint, &target, &options)?.artifacts {
            output::note(format_args!("exported: {}", artifact.file.path.display()));
        }
    }
    Ok(())
}
