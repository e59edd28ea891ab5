"""A NEZHA of base size with random weights, as transformers saves it; needs no torch."""

import json

VOCABULARY, HIDDEN, LAYERS, INTERMEDIATE = 21128, 768, 12, 3072


def write(folder, reach=64, labels=()):
    """Writes the checkpoint into `folder`: with `labels`, a classifier; with a `reach` of 0, a BERT without positions."""
    import numpy
    from safetensors.numpy import save_file

    random = numpy.random.default_rng(0)
    tensors = {
        name: numpy.ones(shape, "f4") if "LayerNorm.weight" in name else random.normal(0, 0.02, shape).astype("f4")
        for name, shape in weights(labels).items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    config = {
        "model_type": "nezha",
        "architectures": ["NezhaForSequenceClassification" if labels else "NezhaModel"],
        "vocab_size": VOCABULARY,
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 12,
        "intermediate_size": INTERMEDIATE,
        "hidden_act": "gelu",
        "type_vocab_size": 2,
        "max_relative_position": reach,
        "layer_norm_eps": 1e-12,
    }
    if labels:
        config |= {"id2label": dict(enumerate(labels)), "label2id": {label: at for at, label in enumerate(labels)}}
    (folder / "config.json").write_text(json.dumps(config, indent=2))


def weights(labels):
    """Names of the weights and their shapes."""

    def linear(name, outputs, inputs):
        return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}

    def norm(name):
        return {f"{name}.weight": (HIDDEN,), f"{name}.bias": (HIDDEN,)}

    # The base class is saved without a prefix.
    prefix = "nezha." if labels else ""
    all_weights = {
        f"{prefix}embeddings.word_embeddings.weight": (VOCABULARY, HIDDEN),
        f"{prefix}embeddings.token_type_embeddings.weight": (2, HIDDEN),
        **norm(f"{prefix}embeddings.LayerNorm"),
        **linear(f"{prefix}pooler.dense", HIDDEN, HIDDEN),
    }
    for number in range(LAYERS):
        layer = f"{prefix}encoder.layer.{number}"
        for name in ("query", "key", "value"):
            all_weights |= linear(f"{layer}.attention.self.{name}", HIDDEN, HIDDEN)
        all_weights |= linear(f"{layer}.attention.output.dense", HIDDEN, HIDDEN)
        all_weights |= norm(f"{layer}.attention.output.LayerNorm")
        all_weights |= linear(f"{layer}.intermediate.dense", INTERMEDIATE, HIDDEN)
        all_weights |= linear(f"{layer}.output.dense", HIDDEN, INTERMEDIATE)
        all_weights |= norm(f"{layer}.output.LayerNorm")
    if labels:
        all_weights |= linear("classifier", len(labels), HIDDEN)
    return all_weights
