// What the examples in the documentation begin with: a checkpoint of the repository, exported as one
// head. An expression, for `include!`; it gives the folder, which goes when the example ends.
{
    fn export(
        checkpoint: &str,
        head: &str,
    ) -> Result<tempfile::TempDir, Box<dyn std::error::Error>> {
        use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
        use nezha_exporter::{ExportOptions, Heads, export};

        let repository = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let folder = std::path::Path::new(repository).join(checkpoint);
        let checkpoint = Checkpoint::open(&folder, &OpenOptions::default())?;
        let options = ExportOptions::default().heads(Heads::Named(vec![head.parse()?]));
        let out = tempfile::tempdir()?;
        export(&checkpoint, out.path(), &options)?;
        Ok(out)
    }
    export
}
