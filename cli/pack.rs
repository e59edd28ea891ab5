//! `nezha pack` and `nezha unpack`: a model's folder as one file, and back.

use std::path::PathBuf;

use anyhow::Result;
use nezha_graphs::Artifact;

use crate::output;

/// Pack a model's folder into one file, which every command takes instead of the folder.
///
/// The file is a zip archive of uncompressed parts, with the SHA-256 of each; it is mapped and never
/// unpacked. Files in subfolders are packed too, empty folders are not.
#[derive(clap::Args)]
pub(crate) struct PackArgs {
    /// The folder that `nezha export` wrote.
    folder: PathBuf,
    /// The file to write, such as model.nezha.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace the file.
    #[arg(long)]
    force: bool,
}

/// Write the files of a packed model to a folder, byte for byte as they were.
#[derive(clap::Args)]
pub(crate) struct UnpackArgs {
    /// The file that `nezha pack` wrote.
    file: PathBuf,
    /// The folder to write to, made if it is missing.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Replace files in the folder.
    #[arg(long)]
    force: bool,
}

/// Packs.
pub(crate) fn pack(args: PackArgs) -> Result<()> {
    let artifact = Artifact::open(&args.folder)?;
    artifact.pack_to(&args.output, args.force)?;
    listed(&artifact)
}

/// Unpacks.
pub(crate) fn unpack(args: UnpackArgs) -> Result<()> {
    let artifact = Artifact::open(&args.file)?;
    artifact.unpack(&args.output, args.force)?;
    listed(&artifact)
}

/// Prints the names of the parts.
fn listed(artifact: &Artifact) -> Result<()> {
    for part in artifact.names()? {
        output::line(part)?;
    }
    Ok(())
}
