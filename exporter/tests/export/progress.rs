//! How far an export is, and what is left where it is stopped.

use std::ops::ControlFlow;

use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{
    ExportError, ExportOptions, Heads, Placement, Progress, export_with_progress,
};
use nezha_graphs::Precision;

use crate::support::{contents, exported, fixture};

fn options(weights: Placement) -> ExportOptions {
    ExportOptions::default()
        .heads(Heads::All)
        .precisions([Precision::Fp32, Precision::Int8])
        .weights(weights)
        .force(true)
}

fn checkpoint() -> Checkpoint {
    let folder = fixture("reach-4/pretraining");
    Checkpoint::open(folder, &OpenOptions::default()).unwrap()
}

#[test]
fn the_total_is_known_from_the_first_byte_and_reached_with_the_last() {
    for weights in [Placement::Embedded, Placement::External] {
        let target = tempfile::tempdir().unwrap();
        let mut told: Vec<Progress> = Vec::new();
        let exported =
            export_with_progress(&checkpoint(), target.path(), &options(weights), &mut |at| {
                told.push(at);
                ControlFlow::Continue(())
            });
        let exported = exported.unwrap();
        let (first, last) = (told[0], told[told.len() - 1]);
        assert!(first.written > 0 && first.written < last.written);
        assert!(told.is_sorted_by_key(|it| it.written), "{weights:?}");
        assert!(told.iter().all(|it| it.total == first.total), "{weights:?}");
        assert_eq!(last.written, last.total, "{weights:?}");
        // All but the metadata, which are last in each model.
        let files = exported.artifacts.iter().map(|it| &it.file);
        let bytes: u64 = files.chain(&exported.weights).map(|it| it.bytes).sum();
        let metadata = bytes - last.total;
        assert!(
            metadata > 0 && metadata < 4096 * 16,
            "{weights:?}: {metadata}"
        );
    }
}

#[test]
fn an_export_that_is_stopped_leaves_what_was_there_before() {
    let folder = fixture("reach-4/pretraining");
    for weights in [Placement::Embedded, Placement::External] {
        let target = tempfile::tempdir().unwrap();
        exported(&folder, target.path(), &options(weights));
        let before = contents(target.path());
        let other = fixture("reach-4/masked-lm");
        let other = Checkpoint::open(other, &OpenOptions::default()).unwrap();
        for share in [0.0, 0.5, 0.99] {
            let stopped = export_with_progress(
                &other,
                target.path(),
                &ExportOptions::default().weights(weights).force(true),
                &mut |at| match at.written as f64 > share * at.total as f64 {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                },
            );
            let context = format!("{weights:?} at {share}");
            assert!(matches!(stopped, Err(ExportError::Stopped)), "{context}");
            assert!(contents(target.path()) == before, "{context}");
        }
        let nowhere = target.path().join("new");
        let stopped = export_with_progress(
            &other,
            &nowhere,
            &ExportOptions::default().weights(weights),
            &mut |_| ControlFlow::Break(()),
        );
        assert!(matches!(stopped, Err(ExportError::Stopped)), "{weights:?}");
        assert!(!nowhere.exists(), "{weights:?}");
    }
}
