//! Each task's answers as columns: those that the task's own command gives.

use serde_json::json;
use testkit::command::{stderr, stdout};

use super::*;

/// Fails unless two JSON values are the same, numbers up to what padding changes.
#[track_caller]
fn assert_near(context: &str, expected: &Value, found: &Value) {
    match (expected, found) {
        (Value::Number(expected), Value::Number(found)) => {
            let [expected, found] = [expected, found].map(|it| it.as_f64().unwrap());
            assert!(
                (expected - found).abs() < 1e-5,
                "{context}: {found}, expected {expected}"
            );
        }
        (Value::Array(expected), Value::Array(found)) => {
            assert_eq!(expected.len(), found.len(), "{context}: length");
            for (at, (expected, found)) in expected.iter().zip(found).enumerate() {
                assert_near(&format!("{context}[{at}]"), expected, found);
            }
        }
        (Value::Object(expected), Value::Object(found)) => {
            let keys = |it: &serde_json::Map<String, Value>| it.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(expected), keys(found), "{context}: fields");
            for (key, expected) in expected {
                assert_near(&format!("{context}.{key}"), expected, &found[key]);
            }
        }
        _ => assert_eq!(expected, found, "{context}"),
    }
}

/// What `nezha score` says of rows, and what the task's command says.
fn both(
    task: &str,
    model: &Path,
    rows: &[Value],
    score_options: &[&str],
    task_options: &[&str],
) -> (Vec<Value>, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.jsonl", "out.jsonl"].map(|it| folder.path().join(it));
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    fs::write(&input, lines.join("\n")).unwrap();
    let mut scoring = score([input.as_os_str(), OsStr::new("-o"), output.as_os_str()]);
    scoring.arg("--model").arg(model).args(["--task", task]);
    succeeded(ran(scoring.args(score_options)));
    let mut command = Command::new(NEZHA);
    command.arg(task).arg(model).arg("--file").arg(&input);
    command.args(["--json", "--engine", "tract", "--threads", "1"]);
    let answered = succeeded(ran(command.args(task_options)));
    let entries: Vec<Value> = serde_json::from_str(stdout(&answered)).unwrap();
    let answers = entries.iter().map(|it| it["answer"].clone()).collect();
    let rows = json_rows(&output);
    for row in &rows {
        assert_eq!(row["error"], Value::Null, "{task}: {row}");
        assert_eq!(row["truncated"], json!(false), "{task}: {row}");
    }
    (rows, answers)
}

/// An object with these fields only.
fn fields(value: &Value, names: &[&str]) -> Value {
    names
        .iter()
        .map(|name| ((*name).to_owned(), value[name].clone()))
        .collect()
}

fn reviews() -> Vec<Value> {
    let texts = [
        "房间很干净",
        "服务差，再也不来了。",
        "国务院总理李鹏今天来了",
    ];
    texts.iter().map(|it| json!({ "text": it })).collect()
}

#[test]
fn text_classification_gives_the_best_label_the_best_ones_or_a_score_for_each() {
    let task = "text-classification";
    let (rows, answers) = both(task, model(), &reviews(), &[], &[]);
    for (row, answer) in rows.iter().zip(&answers) {
        assert_near(task, &answer[0], &fields(row, &["label", "score"]));
    }
    let (rows, answers) = both(
        task,
        model(),
        &reviews(),
        &["--top-k", "2"],
        &["--top-k", "2"],
    );
    for (row, answer) in rows.iter().zip(&answers) {
        assert_near(task, answer, &row["labels"]);
    }
    let (rows, answers) = both(
        task,
        model(),
        &reviews(),
        &["--scores", "all"],
        &["--top-k", "9"],
    );
    for (row, answer) in rows.iter().zip(&answers) {
        let scores = row["scores"].as_object().unwrap();
        let names: Vec<&String> = scores.keys().collect();
        assert_eq!(names, ["LABEL_0", "LABEL_1", "LABEL_2"]);
        for best in answer.as_array().unwrap() {
            let label = best["label"].as_str().unwrap();
            assert_near(label, &best["score"], &scores[label]);
        }
    }
}

#[test]
fn token_classification_gives_lists_of_entities() {
    let model = exported("text/token-classification");
    let (rows, answers) = both("token-classification", model.path(), &reviews(), &[], &[]);
    assert!(answers.iter().any(|it| !it.as_array().unwrap().is_empty()));
    for (row, answer) in rows.iter().zip(&answers) {
        assert_near("entities", answer, &row["entities"]);
    }
}

#[test]
fn span_classification_gives_lists_of_spans_of_a_head_of_the_users_own() {
    let folder = tempfile::tempdir().unwrap();
    let (spec, model) = (folder.path().join("head.toml"), folder.path().join("model"));
    // Where the bundled model begins a name is a start of it, and an end as well.
    let output = |side: &str| {
        format!(
            "[[outputs]]\nname = \"{side}_logits\"\ntask = \"span-classification\"\nread = \"tokens\"\n\
             steps = [{{ linear = {{ module = \"classifier\" }} }}]\n"
        )
    };
    let sides = ["start", "end"].map(output).concat();
    fs::write(&spec, format!("name = \"spans\"\n{sides}")).unwrap();
    let mut export = Command::new(NEZHA);
    export.arg("export");
    export.arg(testkit::repository("models/nezha-tiny-zh-ner"));
    export.arg("-o").arg(&model).arg("--head-spec").arg(&spec);
    succeeded(ran(&mut export));
    let names = ["label", "score", "text", "start", "end"];
    for options in [&[][..], &["--flat"], &["--threshold", "3"]] {
        let task = "span-classification";
        let (rows, answers) = both(task, &model, &reviews(), options, options);
        let spans: usize = answers.iter().map(|it| it.as_array().unwrap().len()).sum();
        assert!(spans > 0, "{options:?}: no span says nothing");
        for (row, answer) in rows.iter().zip(&answers) {
            let expected = answer.as_array().unwrap().iter();
            let expected: Value = expected.map(|it| fields(it, &names)).collect();
            assert_near("spans", &expected, &row["spans"]);
        }
    }
}

#[test]
fn question_answering_reads_two_columns_and_gives_lists_of_answers() {
    let model = exported("text/question-answering");
    let context = "这家酒店在北京，房间很大，服务很好。";
    let rows = [json!({"question": "酒店在哪里？", "context": context})];
    let options = ["--top-k", "2"];
    let (rows, answers) = both(
        "question-answering",
        model.path(),
        &rows,
        &options,
        &options,
    );
    let names = ["answer", "score", "start", "end"];
    let expected = answers[0].as_array().unwrap().iter();
    let expected: Value = expected.map(|it| fields(it, &names)).collect();
    assert_near("answers", &expected, &rows[0]["answers"]);
}

#[test]
fn multiple_choice_reads_a_text_and_its_choices() {
    let model = exported("text/multiple-choice");
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.jsonl", "out.jsonl"].map(|it| folder.path().join(it));
    let row = json!({"premise": "房间很干净，", "a": "下次还会住。", "b": "老板姓李。"});
    fs::write(&input, row.to_string()).unwrap();
    let mut scoring = score([input.as_os_str(), OsStr::new("-o"), output.as_os_str()]);
    scoring.arg("--model").arg(model.path());
    succeeded(ran(scoring.args([
        "--column",
        "premise,a,b",
        "--prefix",
        "x_",
    ])));
    let mut command = Command::new(NEZHA);
    command.arg("multiple-choice").arg(model.path());
    command.args([
        "房间很干净，",
        "下次还会住。",
        "老板姓李。",
        "--json",
        "--engine",
        "tract",
    ]);
    let answered = succeeded(ran(&mut command));
    let entries: Value = serde_json::from_str(stdout(&answered)).unwrap();
    let row = &json_rows(&output)[0];
    assert_near("choice", &entries[0]["answer"]["choice"], &row["x_choice"]);
    assert_near("scores", &entries[0]["answer"]["scores"], &row["x_scores"]);
}

#[test]
fn feature_extraction_gives_a_vector_of_fixed_size() {
    let model = exported("text/base");
    let options = ["--pooling", "mean", "--normalize"];
    let (rows, answers) = both(
        "feature-extraction",
        model.path(),
        &reviews(),
        &options,
        &options,
    );
    for (row, answer) in rows.iter().zip(&answers) {
        assert_near("embedding", answer, &row["embedding"]);
    }
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.parquet", "out.parquet"].map(|it| folder.path().join(it));
    parquet_file(&input, &texts(50), 50);
    let mut scoring = score([input.as_os_str(), OsStr::new("-o"), output.as_os_str()]);
    succeeded(ran(scoring.arg("--model").arg(model.path())));
    let batch = &parquet_rows(&output)[0];
    let vectors = batch
        .column_by_name("embedding")
        .unwrap()
        .as_fixed_size_list();
    assert_eq!(vectors.value_length(), 16);
    let nulls: Vec<usize> = (0..50)
        .filter(|row| arrow_array::Array::is_null(vectors, *row))
        .collect();
    assert_eq!(nulls, [7, 13, 19], "rows without text");
}

#[test]
fn fill_mask_and_next_sentence_have_columns_too() {
    let folder = tempfile::tempdir().unwrap();
    for head in ["masked-lm", "next-sentence"] {
        let mut export = Command::new(NEZHA);
        export
            .arg("export")
            .arg(testkit::repository("models/nezha-tiny-zh"));
        export
            .args(["--head", head, "-o"])
            .arg(folder.path().join(head));
        succeeded(ran(&mut export));
    }
    let rows = [
        json!({"text": "这家[MASK]店的[MASK]务很好。"}),
        json!({"text": "没有空"}),
    ];
    let options = ["--top-k", "2"];
    let model = folder.path().join("masked-lm");
    let (rows, answers) = both("fill-mask", &model, &rows[..1], &options, &options);
    let names = ["token", "token_str", "score"];
    let gaps = answers[0].as_array().unwrap().iter();
    let expected: Value = gaps
        .map(|gap| {
            gap.as_array()
                .unwrap()
                .iter()
                .map(|it| fields(it, &names))
                .collect::<Value>()
        })
        .collect();
    assert_near("fills", &expected, &rows[0]["fills"]);

    let rows = [json!({"text": "这家酒店的位置很好。", "text_pair": "下次还会住。"})];
    let model = folder.path().join("next-sentence");
    let (rows, answers) = both("next-sentence", &model, &rows, &[], &[]);
    assert_near("is_next", &answers[0]["is_next"], &rows[0]["is_next"]);
}

#[test]
fn rows_without_text_have_no_answer_and_rows_that_fail_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.jsonl", "out.jsonl"].map(|it| folder.path().join(it));
    let lines = [
        r#"{"id":1,"text":"房间很干净"}"#,
        r#"{"id":2,"text":null}"#,
        r#"{"id":3}"#,
        r#"{"id":4,"text":"  "}"#,
        r#"{"id":5,"text":12345678901234567890123}"#,
        "",
        r#" {"id":6, "text":"很好" , "x": 1.00 } "#,
    ];
    fs::write(&input, lines.join("\r\n")).unwrap();
    let scored = ran(&mut scoring(&input, &output, &[]));
    assert_eq!(scored.status.code(), Some(1), "{scored:?}");
    assert!(
        stderr(&scored).contains("1 of 6 rows have no answer"),
        "{scored:?}"
    );
    let rows = json_rows(&output);
    let labelled: Vec<bool> = rows.iter().map(|it| it["label"].is_string()).collect();
    assert_eq!(labelled, [true, false, false, false, false, true]);
    assert_eq!(rows[4]["error"], "'text' is not a string");
    let text = fs::read_to_string(&output).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[4].starts_with(r#"{"id":5,"text":12345678901234567890123,"label":null"#));
    assert!(
        lines[5].starts_with(r#"{"id":6, "text":"很好" , "x": 1.00,"label":"#),
        "{}",
        lines[5]
    );

    let fails = ran(&mut scoring(
        &input,
        &folder.path().join("b.jsonl"),
        &["--on-error", "fail"],
    ));
    assert_eq!(fails.status.code(), Some(1), "{fails:?}");
    assert!(
        stderr(&fails).contains("row 4: 'text' is not a string"),
        "{fails:?}"
    );
    assert!(!folder.path().join("b.jsonl").exists());
}

#[test]
fn a_text_that_is_cut_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.jsonl", "out.jsonl"].map(|it| folder.path().join(it));
    json_file(&input, &[Some("很好".to_owned()), Some("很好".repeat(100))]);
    succeeded(ran(&mut scoring(&input, &output, &["--max-length", "10"])));
    let rows = json_rows(&output);
    let truncated: Vec<&Value> = rows.iter().map(|it| &it["truncated"]).collect();
    assert_eq!(truncated, [&json!(false), &json!(true)]);
}

#[test]
fn answers_are_the_same_bits_for_any_number_of_threads_and_for_a_part_alone() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.parquet");
    parquet_file(&input, &texts(5000), 900);
    let outputs = ["1", "3"].map(|sessions| {
        let output = folder.path().join(format!("{sessions}.parquet"));
        let more = ["--sessions", sessions, "--part-rows", "2048"];
        succeeded(ran(&mut scoring(&input, &output, &more)));
        output
    });
    assert_same(&outputs[0], &outputs[1]);
}

#[test]
fn answers_are_the_same_bits_though_several_sessions_share_a_window() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.parquet");
    // Less than a window, so that it is its batches that are computed at the same time.
    parquet_file(&input, &texts(900), 900);
    let outputs = ["1", "2"].map(|sessions| {
        let output = folder.path().join(format!("{sessions}.parquet"));
        let mut command = Command::new(NEZHA);
        command.arg("score").arg(&input).arg("-o").arg(&output);
        command.arg("--model").arg(model());
        command.args(["--engine", "ort", "--threads", "1", "--progress", "none"]);
        succeeded(ran(command.args(["--sessions", sessions])));
        output
    });
    assert_same(&outputs[0], &outputs[1]);
}
