//! How small the files get.

use std::fs;

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportOptions, Heads, Placement, export};
use nezha_graphs::{Head, Precision};
use tempfile::TempDir;
use testkit::repository;

const MODEL: &str = "models/nezha-tiny-zh";

/// Bytes of all files of weights and graphs, whatever they are called.
fn bytes(precision: Precision, heads: Heads, weights: Placement) -> u64 {
    let checkpoint = Checkpoint::open(repository(MODEL), &OpenOptions::default()).unwrap();
    let target = TempDir::new().unwrap();
    let options = ExportOptions::default()
        .heads(heads)
        .precisions(vec![precision])
        .weights(weights);
    let exported = export(&checkpoint, target.path(), &options).unwrap();
    let artifacts = exported.artifacts.iter().map(|it| &it.file);
    let files = match weights {
        Placement::External => artifacts.take(0).chain(&exported.weights),
        _ => artifacts.take(usize::MAX).chain(&exported.weights),
    };
    let sizes = files.map(|file| {
        let found = fs::metadata(&file.path).unwrap().len();
        assert_eq!(found, file.bytes, "{}", file.path.display());
        found
    });
    sizes.sum()
}

/// The nodes take a twentieth of so small a file, and of a base model's next to nothing: weights
/// are what is counted.
#[test]
fn files_are_as_small_as_their_bits_and_scales_allow() {
    for head in [Head::MaskedLm, Head::Base] {
        let size = |precision| {
            let heads = Heads::Named(vec![head]);
            bytes(precision, heads, Placement::External) as f64
        };
        let whole = size(Precision::Fp32);
        for (precision, most) in [
            (Precision::Int8, 0.27),
            (Precision::W8, 0.27),
            (Precision::Q8, 0.27),
            // Three quarters of this model are the vocabulary, in 8 bits.
            (Precision::Q4, 0.25),
            (Precision::Fp16, 0.505),
            (Precision::Fp16Storage, 0.505),
        ] {
            let part = size(precision) / whole;
            println!("{head}: {precision} takes {part:.4}");
            assert!(
                part <= most,
                "{head}: {precision} takes {part:.4}, {most} allowed"
            );
        }
    }
}

#[test]
fn several_int8_heads_share_their_weights() {
    let all = bytes(Precision::Int8, Heads::All, Placement::Auto) as f64;
    let whole = bytes(Precision::Fp32, Heads::All, Placement::Auto) as f64;
    assert!(all <= 0.35 * whole, "{all} of {whole} bytes");
}

#[test]
fn the_same_checkpoint_gives_the_same_bytes_in_every_precision() {
    let checkpoint = Checkpoint::open(repository(MODEL), &OpenOptions::default()).unwrap();
    for precision in Precision::ALL {
        let made = || {
            let target = TempDir::new().unwrap();
            let options = ExportOptions::default().precisions(vec![precision]);
            let exported = export(&checkpoint, target.path(), &options).unwrap();
            let path = &exported.artifacts[0].file.path;
            assert!(
                path.ends_with(precision.file_name("model")),
                "{}",
                path.display()
            );
            fs::read(path).unwrap()
        };
        assert!(made() == made(), "{precision}");
    }
}
