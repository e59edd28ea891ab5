"""Writes HEAD.json for each head: the model's path and transformers' questions and answers, as plain lists.

Arguments: the folder of artifacts, the folder of answers, the folder to write, the heads.
"""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

artifacts, answers, target = map(Path, sys.argv[1:4])
target.mkdir(parents=True, exist_ok=True)


def plain(array):
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": array.ravel().tolist()}


for head in sys.argv[4:]:
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
