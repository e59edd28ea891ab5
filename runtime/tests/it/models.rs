//! Opening files: whole, foreign, cut short, broken.

use nezha_graphs::proto::StringStringEntryProto;
use nezha_graphs::{DType, ReadModelError, error_chain};
use nezha_runtime::{Model, ModelError};
use prost::Message;

use crate::tiny;

#[test]
fn a_model_says_its_signature_and_opset() {
    let file = tiny::save(&tiny::embeddings());
    let model = Model::open(&file.path).unwrap();
    let signature = model.signature();
    let ports = signature.inputs.iter().chain(&signature.outputs);
    assert_eq!(
        ports.map(ToString::to_string).collect::<Vec<_>>(),
        [
            "input_ids: int64[batch_size, sequence_length]",
            "attention_mask: int64[batch_size, sequence_length]",
            "token_type_ids: int64[batch_size, sequence_length]",
            "last_hidden_state: float32[batch_size, sequence_length, 2]",
            "tokens: int64[batch_size]",
        ]
    );
    assert_eq!(model.opset(), Some(17));
}

#[test]
fn an_initializer_that_is_listed_as_an_input_need_not_be_given() {
    let mut proto = tiny::embeddings();
    let graph = proto.graph.as_mut().unwrap();
    graph
        .input
        .push(tiny::port("words", DType::F32, "5,2").to_proto());
    let file = tiny::save(&proto);
    let model = Model::open(&file.path).unwrap();
    assert!(model.signature().input("words").is_err());
    for kind in tiny::ENGINES {
        tiny::load(&file, kind);
    }
}

#[test]
fn a_foreign_model_has_no_metadata_and_an_exported_one_a_config() {
    let foreign = tiny::save(&tiny::embeddings());
    assert!(Model::open(&foreign.path).unwrap().metadata().is_none());
    let exported = tiny::save(&tiny::exported_embeddings());
    let model = Model::open(&exported.path).unwrap();
    assert_eq!(
        model.config().map(|it| it.vocab_size),
        Some(tiny::VOCAB_SIZE)
    );
}

#[test]
fn metadata_with_a_key_missing_is_an_error_that_names_the_key() {
    let mut proto = tiny::embeddings();
    proto.metadata_props.push(StringStringEntryProto {
        key: "nezha.signature_version".to_owned(),
        value: "1".to_owned(),
    });
    let error = Model::open(&tiny::save(&proto).path).unwrap_err();
    assert!(matches!(error, ModelError::Metadata { .. }), "{error}");
    assert!(
        error_chain(&error).contains("'nezha.head' is missing"),
        "{error}"
    );
}

#[test]
fn a_file_that_is_no_model_is_refused_by_name() {
    for bytes in [b"".as_slice(), b"{\"not\": \"a model\"}", &[0xff; 64]] {
        let file = tiny::write(bytes);
        let error = Model::open(&file.path).unwrap_err();
        let is_format = matches!(error, ModelError::Read(ReadModelError::NotAModel { .. }));
        assert!(is_format, "{error}");
        assert!(error.to_string().contains("model.onnx"), "{error}");
    }
    let missing = Model::open("no such file.onnx").unwrap_err();
    let not_found = matches!(missing, ModelError::Read(ReadModelError::NotFound { .. }));
    assert!(not_found, "{missing}");
}

#[test]
fn a_model_cut_short_opens_only_where_the_graph_is_whole() {
    let whole = tiny::exported_embeddings().encode_to_vec();
    let signature = Model::open(&tiny::write(&whole).path)
        .unwrap()
        .signature()
        .clone();
    let mut opened = 0;
    for length in 0..whole.len() {
        match Model::open(&tiny::write(&whole[..length]).path) {
            Ok(model) => {
                opened += 1;
                assert_eq!(model.signature(), &signature, "cut to {length} bytes");
            }
            Err(error) => assert!(error.to_string().contains("model.onnx"), "{error}"),
        }
    }
    // Whole are those that are cut between the graph and the end, of which there are few.
    assert!(
        (1..20).contains(&opened),
        "{opened} of {} lengths open",
        whole.len()
    );
}

/// Bytes that a flip of all bits lands in: of names, shapes, metadata, weights.
#[test]
fn a_flipped_byte_is_refused_by_name_or_seen_in_the_model() {
    let original = tiny::exported_embeddings();
    let whole = original.encode_to_vec();
    let (mut refused, mut opened) = (0, 0);
    for position in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[position] ^= 0xff;
        match Model::open(&tiny::write(&bytes).path) {
            Ok(model) => {
                opened += 1;
                let same = *model.proto() == original;
                assert!(!same, "the flip at byte {position} went unseen");
            }
            Err(error) => {
                refused += 1;
                let foreseen = matches!(
                    error,
                    ModelError::Read(ReadModelError::NotAModel { .. })
                        | ModelError::Metadata { .. }
                );
                assert!(foreseen, "byte {position}: {error:?}");
                assert!(error.to_string().contains("model.onnx"), "{error}");
            }
        }
    }
    assert!(
        refused > 0 && opened > 0,
        "{refused} refused, {opened} opened"
    );
}
