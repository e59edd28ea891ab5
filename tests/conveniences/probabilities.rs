//! `--probabilities`.

use nezha_graphs::{Config, GraphOptions, Head, ProblemType};
use testkit::compare::assert_close;
use testkit::engines::{ENGINES, artifact, tensors};

use super::{cases, f32s, float32, of_heads, softmax};

#[test]
fn probabilities_are_the_softmax_of_the_logits_and_of_many_labels_the_sigmoid() {
    let heads = [
        Head::MaskedLm,
        Head::NextSentence,
        Head::SequenceClassification,
        Head::MultipleChoice,
        Head::TokenClassification,
    ];
    let mut sigmoids = 0;
    for fixture in of_heads(&heads) {
        let text = std::fs::read_to_string(fixture.folder.join("config.json")).unwrap();
        let config = Config::from_json(&text).unwrap();
        let mut problem_types = vec![None];
        if fixture.head == Head::SequenceClassification {
            problem_types = vec![
                Some(ProblemType::SingleLabelClassification),
                Some(ProblemType::MultiLabelClassification),
            ];
            if config.effective_problem_type() != ProblemType::Regression {
                problem_types.push(None);
            }
        }
        for problem_type in problem_types {
            let graph = GraphOptions::default()
                .probabilities(true)
                .problem_type(problem_type);
            let many = fixture.head == Head::SequenceClassification
                && graph.effective_problem_type(&config) == ProblemType::MultiLabelClassification;
            sigmoids += usize::from(many);
            let (_folder, path) = artifact(&fixture.folder, fixture.head, &graph, 17);
            for engine in ENGINES {
                let session = engine.session(&path);
                for case in cases(&fixture) {
                    let context = format!("{engine}, {}, {}", fixture.name, case.name);
                    let found = session.run(tensors(&case.inputs)).unwrap();
                    let logits = float32(case, "logits");
                    let expected = match many {
                        true => logits.mapv(|x| 1.0 / (1.0 + (-x).exp())),
                        false => softmax(&logits),
                    };
                    let found = f32s(&found, "probabilities");
                    assert_close(
                        &context,
                        "probabilities",
                        &expected,
                        &found,
                        engine.tolerance(),
                    );
                }
            }
        }
    }
    assert!(sigmoids > 2, "only {sigmoids} graphs of many labels");
}
