// What the examples in the documentation begin with: a checkpoint of the repository, exported as one
// head. An expression, for `include!`; it gives the folder, which goes when the example ends.
//
// Cargo sets the variable in the repository alone (`.cargo/config.toml`). The packed crate has no
// checkpoints: there the examples are compiled and end here.
{
    fn export(
        checkpoint: &str,
        head: &str,
    ) -> Result<tempfile::TempDir, Box<dyn std::error::Error>> {
        use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
        use nezha_exporter::{ExportOptions, Heads, export};

        let repository = std::env::var("NEZHA_REPOSITORY").unwrap_or_default();
        if repository.is_empty() {
            std::process::exit(0);
        }
        let folder = std::path::Path::new(&repository).join(checkpoint);
        let checkpoint = Checkpoint::open(&folder, &OpenOptions::default())?;
        let options = ExportOptions::default().heads(Heads::Named(vec![head.parse()?]));
        let out = tempfile::tempdir()?;
        export(&checkpoint, out.path(), &options)?;
        Ok(out)
    }
    export
}
