"""Writes HEAD.json for each head: the model's path and transformers' questions and answers, as plain lists.

Arguments: the folder of artifacts, the folder of answers, the folder to write, the heads. With --service first, the
artifacts take ids alone, as int32 under the name `ids`, and call the logits `scores`.
"""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

service = sys.argv[1] == "--service"
arguments = sys.argv[2 if service else 1 :]
artifacts, answers, target = map(Path, arguments[:3])
target.mkdir(parents=True, exist_ok=True)


def plain(array):
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": array.ravel().tolist()}


def served(inputs, outputs):
    """The texts of a question that a service may ask: of one text, without padding or the token that it is made of."""
    ids = inputs.pop("input_ids")
    if not inputs.get("attention_mask", np.ones(1)).all() or inputs.get("token_type_ids", np.zeros(1)).any():
        return None
    whole = (ids != 0).reshape(len(ids), -1).all(axis=1)
    if not whole.any():
        return None

    def of_whole(array):
        # Of multiple choice, hidden states and attentions have a row for each choice.
        rows = np.repeat(whole, len(array) // len(ids))
        return array[rows]

    outputs = {{"logits": "scores"}.get(name, name): of_whole(it) for name, it in outputs.items()}
    return {"ids": ids[whole].astype(np.int32)}, outputs


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
            asked = served(inputs, outputs)
            if asked:
                inputs, outputs = ({name: plain(it) for name, it in part.items()} for part in asked)
                chosen.append({"name": name, "inputs": inputs, "outputs": outputs})
            continue
        inputs.setdefault("attention_mask", np.ones_like(inputs["input_ids"]))
        inputs.setdefault("token_type_ids", np.zeros_like(inputs["input_ids"]))
        chosen.append(
            {
                "name": name,
                "inputs": {name: plain(it) for name, it in inputs.items()},
                "outputs": {name: plain(it) for name, it in outputs.items()},
            }
        )
    assert chosen, head
    document = {"head": head, "model": str(artifacts / head / "model.onnx"), "cases": chosen}
    (target / f"{head}.json").write_text(json.dumps(document))
