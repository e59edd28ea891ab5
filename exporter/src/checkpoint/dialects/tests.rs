use super::*;

/// The encoder's names in each dialect, and what they are.
#[test]
fn every_dialect_comes_to_the_names_of_transformers() {
    use Dialect::{Bert4torch, Keras, Paddle, TensorFlow, Transformers};
    for (dialect, written, expected, linear) in [
        (
            Transformers,
            "pooler.dense.bias",
            "pooler.dense.bias",
            false,
        ),
        (
            Transformers,
            "embeddings.LayerNorm.gamma",
            "embeddings.LayerNorm.weight",
            false,
        ),
        (
            Bert4torch,
            "embeddings.segment_embeddings.weight",
            "embeddings.token_type_embeddings.weight",
            false,
        ),
        (
            Bert4torch,
            "encoderLayer.11.layerNorm1.bias",
            "encoder.layer.11.attention.output.LayerNorm.bias",
            false,
        ),
        (
            Bert4torch,
            "encoderLayer.11.multiHeadAttention.o.weight",
            "encoder.layer.11.attention.output.dense.weight",
            true,
        ),
        (Bert4torch, "pooler.weight", "pooler.dense.weight", true),
        (
            TensorFlow,
            "encoder.layer_3.output.dense.kernel",
            "encoder.layer.3.output.dense.weight",
            true,
        ),
        (
            TensorFlow,
            "embeddings.word_embeddings",
            "embeddings.word_embeddings.weight",
            false,
        ),
        (
            TensorFlow,
            "embeddings.LayerNorm.beta",
            "embeddings.LayerNorm.bias",
            false,
        ),
        (
            Keras,
            "Embedding-Token/Embedding-Token/embeddings:0",
            "embeddings.word_embeddings.weight",
            false,
        ),
        (
            Keras,
            "Transformer-2-FeedForward/Transformer-2-FeedForward/dense_1/kernel:0",
            "encoder.layer.2.output.dense.weight",
            true,
        ),
        (
            Paddle,
            "encoder.layer.0.ffn.weight",
            "encoder.layer.0.intermediate.dense.weight",
            true,
        ),
        (
            Paddle,
            "encoder.layer.0.layer_norm.weight",
            "encoder.layer.0.output.LayerNorm.weight",
            false,
        ),
        (
            Paddle,
            "encoder.layer.0.attention.layer_norm.bias",
            "encoder.layer.0.attention.output.LayerNorm.bias",
            false,
        ),
    ] {
        let found = dialect.encoder(written);
        let name = format!("nezha.{expected}");
        assert_eq!(
            found,
            Some(Translation { name, linear }),
            "{dialect}: {written}"
        );
    }
}

#[test]
fn every_dialects_heads_come_to_the_names_of_transformers() {
    use Dialect::{Bert4torch, Keras, Paddle, TensorFlow, Transformers};
    for (dialect, written, expected, linear) in [
        (Transformers, "classifier.weight", "classifier.weight", true),
        (
            Transformers,
            "cls.predictions.transform.LayerNorm.beta",
            "cls.predictions.transform.LayerNorm.bias",
            false,
        ),
        (
            Bert4torch,
            "mlmDecoder.weight",
            "cls.predictions.decoder.weight",
            false,
        ),
        (Bert4torch, "mlmBias", "cls.predictions.bias", false),
        (
            Bert4torch,
            "nsp.weight",
            "cls.seq_relationship.weight",
            true,
        ),
        (
            TensorFlow,
            "cls.seq_relationship.output_weights",
            "cls.seq_relationship.weight",
            false,
        ),
        (
            TensorFlow,
            "cls.squad.output_bias",
            "qa_outputs.bias",
            false,
        ),
        (TensorFlow, "output_weights", "classifier.weight", false),
        (
            Keras,
            "NSP-Proba/NSP-Proba/kernel:0",
            "cls.seq_relationship.weight",
            true,
        ),
        (
            Paddle,
            "cls.predictions.decoder_weight",
            "cls.predictions.decoder.weight",
            false,
        ),
        (
            Paddle,
            "cls.predictions.dense.weight",
            "cls.predictions.transform.dense.weight",
            true,
        ),
        (Paddle, "classifier.weight", "classifier.weight", true),
    ] {
        let expected = Translation {
            name: expected.to_owned(),
            linear,
        };
        assert_eq!(
            dialect.head(written, true),
            Some(expected),
            "{dialect}: {written}"
        );
    }
}

#[test]
fn a_prefix_is_whatever_stands_before_the_first_query() {
    for (dialect, name, prefix) in [
        (
            Dialect::Transformers,
            "encoder.layer.0.attention.self.query.weight",
            Some(""),
        ),
        (
            Dialect::Transformers,
            "a.b.encoder.encoder.layer.0.attention.self.query.weight",
            Some("a.b.encoder."),
        ),
        (
            Dialect::Transformers,
            "xencoder.layer.0.attention.self.query.weight",
            None,
        ),
        (
            Dialect::Transformers,
            "encoder.layer.1.attention.self.query.weight",
            None,
        ),
        (
            Dialect::TensorFlow,
            "bert.encoder.layer_0.attention.self.query.kernel",
            Some("bert."),
        ),
        (
            Dialect::Keras,
            "model_weights/Transformer-0-MultiHeadSelfAttention/x/dense/kernel:0",
            Some("model_weights/"),
        ),
        (
            Dialect::Paddle,
            "nezha.encoder.layer.0.attention.query.weight",
            Some("nezha."),
        ),
        (
            Dialect::Bert4torch,
            "bert.encoderLayer.0.multiHeadAttention.q.weight",
            Some("bert."),
        ),
    ] {
        assert_eq!(dialect.prefix(name), prefix, "{dialect}: {name}");
    }
}

#[test]
fn the_modules_around_a_prefix_go_outwards() {
    assert_eq!(around("a.b.c.").collect::<Vec<_>>(), ["a.b.", "a.", ""]);
    assert_eq!(around("a/").collect::<Vec<_>>(), [""]);
    assert_eq!(around("").count(), 0);
}
