//! Graphs are reviewed like code: `graphs/golden` has a listing of each, and a change to one shows
//! as a difference here. `cargo xtask bless` rewrites the listings; commit them with the change.
#![allow(clippy::disallowed_methods, reason = "a test writes its inputs")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::inspect::read_model;
use nezha_exporter::{ExportOptions, OPSETS, Placement, export};
use nezha_graphs::{Gather, GraphOptions, Head, Precision, listing};
use similar::TextDiff;
use tempfile::TempDir;
use testkit::{fixture_folder, repository};

/// Set by `cargo xtask bless`.
const BLESS: &str = "NEZHA_BLESS";

/// A golden listing and the graph that it is of.
struct Golden {
    name: String,
    fixture: String,
    opset: u32,
    weights: Placement,
    precision: Precision,
    gather: Gather,
}

impl Golden {
    fn new(name: &str, fixture: &str) -> Self {
        Self {
            name: name.to_owned(),
            fixture: fixture.to_owned(),
            opset: *OPSETS.start(),
            weights: Placement::Embedded,
            precision: Precision::Fp32,
            gather: Gather::default(),
        }
    }

    fn all() -> Vec<Self> {
        let heads = Head::ALL.map(|head| Self::new(head.name(), &format!("reach-4/{head}")));
        let opset = |opset| Self {
            opset,
            ..Self::new(&format!("base-opset-{opset}"), "reach-4/base")
        };
        let linked = Self {
            weights: Placement::Linked,
            ..Self::new("base-linked", "reach-4/base")
        };
        let mut goldens = Vec::from(heads);
        // Gelu is an operator from 20 on; the highest opset shows what else is new.
        goldens.extend(BTreeSet::from([20, *OPSETS.end()]).into_iter().map(opset));
        goldens.push(linked);
        let precise = |precision| Self {
            precision,
            ..Self::new(&format!("masked-lm-{precision}"), "reach-4/masked-lm")
        };
        let others = Precision::ALL
            .into_iter()
            .filter(|it| *it != Precision::Fp32);
        goldens.extend(others.map(precise));
        goldens.push(Self::new("base-without-reach", "reach-0/base"));
        goldens.push(Self {
            gather: Gather::Flat,
            ..Self::new("base-flat", "reach-4/base")
        });
        goldens
    }

    fn path(&self) -> PathBuf {
        golden_folder().join(format!("{}.txt", self.name))
    }

    /// The listing of what the exporter builds now.
    fn built(&self) -> String {
        let fixture = fixture_folder(&self.fixture);
        let folder = TempDir::new().unwrap();
        // Linked artifacts stand beside the weights.
        for file in ["config.json", "model.safetensors"] {
            fs::copy(fixture.join(file), folder.path().join(file)).unwrap();
        }
        let checkpoint = Checkpoint::open(folder.path(), &OpenOptions::default())
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let options = ExportOptions::default()
            .opset(self.opset)
            .weights(self.weights)
            .precisions(vec![self.precision])
            .graph(GraphOptions::default().gather(self.gather));
        export(&checkpoint, folder.path(), &options)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        listing(&read_model(folder.path()).unwrap())
    }
}

fn golden_folder() -> PathBuf {
    repository("graphs/golden")
}

#[test]
fn graphs_are_as_their_golden_listings_say() {
    if std::env::var_os(BLESS).is_some() {
        bless();
    }
    let mut differences = String::new();
    for golden in Golden::all() {
        let expected = fs::read_to_string(golden.path()).unwrap_or_default();
        let built = golden.built();
        if built != expected {
            let name = format!("graphs/golden/{}.txt", golden.name);
            let diff = TextDiff::from_lines(&expected, &built);
            let mut diff = diff.unified_diff();
            let diff = diff.context_radius(2).header(&name, "built now");
            differences += &diff.to_string();
        }
    }
    for path in left_over() {
        differences += &format!("{} is of no graph\n", path.display());
    }
    assert!(
        differences.is_empty(),
        "{differences}\nIf this is meant, `cargo xtask bless` rewrites the listings; review and \
         commit them."
    );
}

fn bless() {
    fs::create_dir_all(golden_folder()).unwrap();
    for golden in Golden::all() {
        fs::write(golden.path(), golden.built()).unwrap();
    }
    for path in left_over() {
        fs::remove_file(path).unwrap();
    }
}

/// Listings whose graph is gone.
fn left_over() -> Vec<PathBuf> {
    let known: BTreeSet<PathBuf> = Golden::all().iter().map(Golden::path).collect();
    let entries = fs::read_dir(golden_folder()).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| !known.contains(path)).collect()
}
