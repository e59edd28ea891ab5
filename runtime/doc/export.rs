// The examples in the documentation begin with this: it exports a checkpoint of the repository as
// one head. It is an expression for `include!`, and its value is the folder, which is deleted when
// the example ends.
//
// Cargo sets the variable in the repository only (`.cargo/config.toml`). The packaged crate has no
// checkpoints: its examples are compiled, and exit here.
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
