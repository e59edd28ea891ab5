//! A graph in the place of another one: the names that a service sends and reads, int32, no mask, no
//! token types.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::{ArrayD, array};
use nezha_exporter::checkpoint::{Checkpoint, OpenOptions};
use nezha_exporter::{ExportError, ExportOptions, Heads, Layout, export};
use nezha_graphs::{
    Config, DType, GraphOptions, Head, MaskSource, Pooling, PortNames, Precision, Role, error_chain,
};
use nezha_runtime::task::TextClassificationOptions;
use nezha_runtime::{EngineOptions, Tensors, TextClassification};
use testkit::compare::{assert_close, pairs};
use testkit::engines::{ENGINES, artifact, artifact_in};
use testkit::fixtures::{Fixture, fixtures};
use testkit::repository;

/// What the services of competition code send.
fn names() -> PortNames {
    PortNames::from_iter([("input_ids", "ids"), ("token_type_ids", "segment_ids")])
}

/// Nothing is as the contract has it.
fn everything() -> GraphOptions {
    GraphOptions::default()
        .rename(PortNames::from_iter([("input_ids", "Input-Token")]))
        .int32_inputs(true)
        .mask(MaskSource::FromPadding)
        .token_types(false)
}

fn reach_4() -> Vec<Fixture> {
    let mut found = fixtures();
    found.retain(|it| it.name.starts_with("reach-4/"));
    assert_eq!(found.len(), Head::ALL.len());
    found
}

fn verified(folder: &Path, model: &Path) {
    let checkpoint = Checkpoint::open(folder, &OpenOptions::default()).unwrap();
    let engines = ENGINES.map(|it| it.kind);
    let options = EngineOptions::default();
    let certificate = nezha_verify::verify(model, &checkpoint, &engines, &options).unwrap();
    let context = format!("{}: {}", folder.display(), certificate.to_json());
    assert_eq!(certificate.engines.len(), ENGINES.len(), "{context}");
    assert!(certificate.passed, "{context}");
}

#[test]
fn every_head_of_another_service_is_verified_in_every_engine() {
    for fixture in reach_4() {
        for graph in [
            everything(),
            GraphOptions::default().rename(names()).int32_inputs(true),
            GraphOptions::default().mask(MaskSource::FromPadding),
            GraphOptions::default().token_types(false),
        ] {
            let (_folder, path) = artifact(&fixture.folder, fixture.head, &graph, 17);
            verified(&fixture.folder, &path);
        }
    }
}

#[test]
fn labels_hidden_states_and_a_cache_keep_working_under_other_names() {
    let all = [
        ("input_ids", "ids"),
        ("labels", "y"),
        ("loss", "cost"),
        ("logits", "scores"),
        ("hidden_states.0", "embedded"),
    ];
    let loss = GraphOptions::default()
        .loss(true)
        .hidden_states(true)
        .int32_inputs(true)
        .rename(PortNames::from_iter(all));
    let labelled = repository("tests/fixtures/reach-4/token-classification");
    let (_folder, path) = artifact(&labelled, Head::TokenClassification, &loss, 17);
    verified(&labelled, &path);

    let cached = GraphOptions::default()
        .kv_cache(true)
        .int32_inputs(true)
        .token_types(false)
        .rename(PortNames::from_iter([
            ("input_ids", "ids"),
            ("past_key_values.0.key", "k0"),
            ("present.0.key", "new_k0"),
        ]));
    let decoder = repository("tests/fixtures/decoder-causal/masked-lm");
    let (_folder, path) = artifact(&decoder, Head::MaskedLm, &cached, 17);
    verified(&decoder, &path);
}

#[test]
fn roles_stay_where_names_change_and_even_where_two_change_places() {
    let swapped = PortNames::from_iter([
        ("attention_mask", "token_type_ids"),
        ("token_type_ids", "attention_mask"),
    ]);
    let fixture = reach_4().remove(0);
    let graph = GraphOptions::default().rename(swapped);
    let (_folder, path) = artifact(&fixture.folder, fixture.head, &graph, 17);
    verified(&fixture.folder, &path);
    let session = ENGINES[0].session(&path);
    let name = |role| session.signature().input_of(role).unwrap().name.clone();
    assert_eq!(name(Role::AttentionMask), "token_type_ids");
    assert_eq!(name(Role::TokenTypes), "attention_mask");
}

/// Ids whose padding, 0, is at the end of a row, in a row and all of one.
fn ids() -> ArrayD<i64> {
    array![[2, 5, 7, 9, 3], [4, 8, 0, 0, 0], [6, 0, 11, 12, 0]].into_dyn()
}

#[test]
fn ids_alone_give_what_the_mask_gives_beside_them() {
    let mask = ids().mapv(|id| i64::from(id != 0));
    for fixture in reach_4() {
        if fixture.head.has_choices() {
            continue;
        }
        for engine in ENGINES {
            let answers =
                |graph: &GraphOptions, inputs: Tensors| -> BTreeMap<String, ArrayD<f32>> {
                    let (_folder, path) = artifact(&fixture.folder, fixture.head, graph, 17);
                    let outputs = engine.session(&path).run(inputs).unwrap();
                    let arrays = outputs
                        .iter()
                        .map(|(name, it)| (name.to_owned(), it.array::<f32>().unwrap().clone()));
                    arrays.collect()
                };
            let inputs = [
                ("input_ids", ids().into()),
                ("attention_mask", mask.clone().into()),
            ];
            let expected = answers(&GraphOptions::default(), Tensors::from(inputs));
            let inputs = [("Input-Token", ids().mapv(|it| it as i32).into())];
            let found = answers(&everything(), Tensors::from(inputs));
            let context = format!("{}, {engine}", fixture.name);
            for ((name, expected), (_, found)) in pairs(&context, &expected, &found) {
                assert_close(&context, name, expected, found, engine.tolerance());
            }
        }
    }
}

#[test]
fn ids_of_another_type_and_ids_that_are_none_are_named_as_the_service_names_them() {
    let fixture = reach_4().remove(0);
    let (_folder, path) = artifact(&fixture.folder, fixture.head, &everything(), 17);
    let session = ENGINES[0].session(&path);
    let error = |ids| {
        let run = session.run(Tensors::from([("Input-Token", ids)]));
        run.unwrap_err().to_string()
    };
    let wide = array![[1_i64, 2]];
    assert_eq!(
        error(wide.into()),
        "input 'Input-Token' is int64, expected int32"
    );
    let last = session.config().unwrap().vocab_size - 1;
    let outside = array![[1_i32, last as i32 + 1]];
    assert_eq!(
        error(outside.into()),
        format!(
            "input 'Input-Token' is {} at [0, 1], expected 0 to {last}",
            last + 1
        )
    );
}

#[test]
fn a_pipeline_answers_the_same_from_a_graph_of_other_names() {
    let checkpoint = repository("models/nezha-tiny-zh-sentiment");
    let texts = ["房间很干净，服务热情。", "客服不理人，后悔买了。", "还行"];
    let answers = |graph: GraphOptions| {
        let renamed = match graph == GraphOptions::default() {
            true => graph,
            false => graph.rename(PortNames::from_iter([
                ("input_ids", "ids"),
                ("logits", "y"),
            ])),
        };
        let head = Head::SequenceClassification;
        let (folder, _) = artifact_in(Precision::Fp32, &checkpoint, head, &renamed, 17);
        let options = TextClassificationOptions::default().top_k(None);
        let classifier = TextClassification::builder().engine("ort").options(options);
        classifier.load(folder.path()).unwrap().run(texts).unwrap()
    };
    let expected = answers(GraphOptions::default());
    for graph in [
        everything(),
        GraphOptions::default().mask(MaskSource::Pairs),
    ] {
        let found = answers(graph);
        for (expected, found) in pairs("texts", &expected, &found) {
            for (expected, found) in pairs("labels", expected, found) {
                assert_eq!(expected.label, found.label);
                let apart = (expected.score - found.score).abs();
                assert!(apart < 1e-5, "{expected:?}, found {found:?}");
            }
        }
    }
}

#[test]
fn names_that_can_not_be_are_refused_before_anything_is_written() {
    let config = Config::from_json(r#"{"vocab_size": 50, "is_decoder": true}"#).unwrap();
    let renamed = |pairs: &[(&str, &str)]| {
        GraphOptions::default().rename(PortNames::from_iter(pairs.iter().copied()))
    };
    #[rustfmt::skip]
    let refused = [
        (renamed(&[("ids", "input_ids")]),
         "option 'rename': the base head has no 'ids' with these options; it has input_ids, attention_mask, token_type_ids, last_hidden_state, pooler_output"),
        (renamed(&[("token_type_ids", "t")]).token_types(false),
         "option 'rename': the base head has no 'token_type_ids' with these options; it has input_ids, attention_mask, last_hidden_state, pooler_output"),
        (renamed(&[("input_ids", "attention_mask")]),
         "option 'rename': 'attention_mask' can't be a name: two ports would have it"),
        (renamed(&[("input_ids", "x"), ("pooler_output", "x")]),
         "option 'rename': 'x' can't be a name: two ports would have it"),
        (renamed(&[("input_ids", "")]),
         "option 'rename': '' can't be a name: it is empty"),
        (GraphOptions::default().mask(MaskSource::FromPadding).inputs_embeds(true),
         "options 'mask' and 'inputs_embeds' exclude each other"),
        (GraphOptions::default().mask(MaskSource::FromPadding).kv_cache(true),
         "options 'mask' and 'kv_cache' exclude each other"),
        (GraphOptions::default().mask(MaskSource::Pairs).pooling(Pooling::Mean),
         "options 'mask' and 'pooling' exclude each other"),
    ];
    for (options, expected) in refused {
        let error = options.check(&config, Head::Base).unwrap_err().to_string();
        assert_eq!(error, expected);
    }

    let open = Checkpoint::open(
        repository("tests/fixtures/reach-4/base"),
        &OpenOptions::default(),
    );
    let checkpoint = open.unwrap();
    for name in [
        "nezha.embeddings.word_embeddings.weight",
        "nezha.encoder.layer.0.attention.self/Softmax",
    ] {
        let target = tempfile::tempdir().unwrap();
        let options = ExportOptions::default().graph(renamed(&[("input_ids", name)]));
        let error = export(&checkpoint, target.path(), &options).unwrap_err();
        let reason = "a weight or a node of the graph has it";
        assert!(
            error_chain(&error).contains(&format!("'{name}' can't be a name: {reason}")),
            "{error:?}"
        );
        assert_eq!(target.path().read_dir().unwrap().count(), 0);
    }
}

#[test]
fn a_layout_whose_stack_knows_the_contracts_names_alone_refuses_others() {
    let open = Checkpoint::open(repository("models/nezha-tiny-zh"), &OpenOptions::default());
    let checkpoint = open.unwrap();
    let written = |layout: Layout, graph: GraphOptions| {
        let target = tempfile::tempdir().unwrap();
        let options = ExportOptions::default()
            .heads(Heads::Named(vec![Head::MaskedLm]))
            .layout(layout)
            .graph(graph);
        let exported = export(&checkpoint, target.path(), &options);
        exported.map(|it| {
            let file = &it.artifacts[0].file.path;
            let inputs = nezha_runtime::Model::open(file)
                .unwrap()
                .signature()
                .clone();
            let config = file.ancestors().nth(2).unwrap().join("config.pbtxt");
            (inputs, std::fs::read_to_string(config).unwrap_or_default())
        })
    };
    let graphs = [
        ("rename", GraphOptions::default().rename(names())),
        ("int32_inputs", GraphOptions::default().int32_inputs(true)),
        (
            "mask",
            GraphOptions::default().mask(MaskSource::FromPadding),
        ),
        ("token_types", GraphOptions::default().token_types(false)),
    ];
    for layout in [Layout::Optimum, Layout::TransformersJs] {
        for (option, graph) in &graphs {
            let error = written(layout, graph.clone()).unwrap_err();
            assert!(matches!(error, ExportError::Layout(_)), "{error}");
            let said = error_chain(&error);
            let expected = format!("layout {layout} and option '{option}' exclude each other");
            assert!(said.contains(&expected), "{said}");
        }
    }
    for layout in [Layout::Plain, Layout::OpenVino, Layout::Triton] {
        let (signature, pbtxt) = written(layout, everything()).unwrap();
        let inputs: Vec<_> = signature
            .inputs
            .iter()
            .map(|it| (&*it.name, it.dtype))
            .collect();
        assert_eq!(inputs, [("Input-Token", DType::I32)], "{layout}");
        if layout == Layout::Triton {
            let port = "name: \"Input-Token\"\n    data_type: TYPE_INT32";
            assert!(pbtxt.contains(port), "{pbtxt}");
        }
    }
}
