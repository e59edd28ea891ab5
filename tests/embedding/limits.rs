//! What a pipeline refuses of texts that nobody vouches for.

use nezha_exporter::Placement;
use nezha_graphs::error_chain;
use nezha_runtime::{Limits, TextClassification};

use crate::sentiment;

#[test]
fn texts_and_runs_over_the_limits_are_errors_and_the_others_are_answered() {
    let folder = sentiment(Placement::Embedded);
    let limits = Limits::default().text_bytes(30).inputs(2);
    let classifier = TextClassification::builder()
        .engine("tract")
        .limits(limits)
        .load(folder.path())
        .unwrap();
    let long = "好".repeat(11);
    let answers: Vec<_> = classifier.stream(["很好", long.as_str(), "不好"]).collect();
    let found: Vec<Result<usize, String>> = answers
        .into_iter()
        .map(|it| {
            it.map(|labels| labels.len())
                .map_err(|error| error_chain(&error))
        })
        .collect();
    let refused = Err("the text has 33 bytes, expected at most 30".to_owned());
    assert_eq!(found, [Ok(1), refused, Ok(1)]);
    assert_eq!(classifier.run(["很好", "不好"]).unwrap().len(), 2);
    let error = classifier.run(std::iter::repeat("很好")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "too many inputs in one run: expected at most 2"
    );
}

#[test]
fn an_input_that_becomes_too_many_windows_or_choices_is_refused() {
    use nezha_runtime::MultipleChoice;

    let checkpoint = testkit::repository("tests/fixtures/text/multiple-choice");
    let folder = crate::exported(
        &checkpoint,
        nezha_graphs::Head::MultipleChoice,
        Placement::Embedded,
    );
    let chooser = MultipleChoice::builder()
        .engine("tract")
        .limits(Limits::default().sequences(2))
        .load(folder.path())
        .unwrap();
    assert!(chooser.run([("房间", ["很好。", "不好。"])]).is_ok());
    let error = chooser
        .run([("房间", ["很好。", "不好。", "不知道。"])])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the input becomes 3 sequences, expected at most 2"
    );
}
