"""Writes HEAD.json for each head: the model's path and transformers' questions and answers, as plain lists.

Arguments: the folder of artifacts, the folder of answers, the folder to write, the heads. With --service first, the
artifacts take ids alone, as int32 under the name `ids`, make the mask from padding, and call the logits `scores`.
"""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

PADDING = 0  # the fixtures' pad_token_id
service = sys.argv[1] == "--service"
arguments = sys.argv[2 if service else 1 :]
artifacts, answers, target = map(Path, arguments[:3])
target.mkdir(parents=True, exist_ok=True)


def plain(array):
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": array.ravel().tolist()}


def served(name, inputs, outputs):
    """What a service may ask of a question's texts, by name: texts without the token that padding is made of, each alone
    in its row, and the same with padding behind them."""
    ids = inputs["input_ids"]
    if not inputs.get("attention_mask", np.ones(1)).all() or inputs.get("token_type_ids", np.zeros(1)).any():
        return
    whole = (ids != PADDING).reshape(len(ids), -1).all(axis=1)
    if not whole.any():
        return

    def of_whole(array):
        # Of multiple choice, hidden states and attentions have a row for each choice.
        rows = np.repeat(whole, len(array) // len(ids))
        return array[rows]

    outputs = {{"logits": "scores"}.get(name, name): of_whole(it) for name, it in outputs.items()}
    ids = ids[whole].astype(np.int32)
    yield name, {"ids": ids}, outputs
    # An answer about a whole text doesn't change with the padding behind it.
    of_texts = {name: it for name, it in outputs.items() if is_of_texts(name, it)}
    if of_texts:
        padded = np.concatenate([ids, np.full((*ids.shape[:-1], 3), PADDING, np.int32)], axis=-1)
        yield f"{name}, padded", {"ids": padded}, of_texts


def is_of_texts(name, output):
    return name in ("pooler_output", "seq_relationship_logits") or (name == "scores" and output.ndim == 2)


for head in arguments[3:]:
    cases = {}
    for name, array in load_file(answers / head / "answers.safetensors").items():
        case, side, tensor = name.split("/", 2)
        cases.setdefault(case, {"inputs": {}, "outputs": {}})[side][tensor] = array
    chosen = []
    for name, case in sorted(cases.items()):
        inputs, outputs = case["inputs"], case["outputs"]
        # The artifacts are plain ones: token ids in, no head mask, no labels.
        if "input_ids" not in inputs or "head_mask" in inputs or "loss" in outputs:
            continue
        if service:
            asked = served(name, inputs, outputs)
        else:
            inputs.setdefault("attention_mask", np.ones_like(inputs["input_ids"]))
            inputs.setdefault("token_type_ids", np.zeros_like(inputs["input_ids"]))
            asked = [(name, inputs, outputs)]
        for name, inputs, outputs in asked:
            inputs, outputs = ({name: plain(it) for name, it in part.items()} for part in (inputs, outputs))
            chosen.append({"name": name, "inputs": inputs, "outputs": outputs})
    assert chosen, head
    document = {"head": head, "model": str(artifacts / head / "model.onnx"), "cases": chosen}
    (target / f"{head}.json").write_text(json.dumps(document))
