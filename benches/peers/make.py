"""What `cargo xtask peers` compares our artifacts with: other exporters' graphs of the same weights.

    python benches/peers/make.py FOLDER [--layers 12]

Writes into FOLDER, with random weights at base size:

    checkpoint/           a NEZHA as transformers saves it, for `nezha export`
    torchscript.onnx      the same, by torch.onnx.export's TorchScript exporter
    dynamo.onnx           the same, by its dynamo exporter
    bert.onnx             a BERT of the same size, which is what relative positions come on top of
    bert_int8.onnx        that BERT through onnxruntime's dynamic per-tensor quantizer
    not_made.json         what is missing of these, with the reason

Needs requirements.txt.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import BertConfig, BertModel, NezhaConfig, NezhaModel

OPSET = 17
NAMES = ["input_ids", "attention_mask", "token_type_ids"]


class Plain(torch.nn.Module):
    """A model with a tuple for an answer and its inputs in a fixed order."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        answer = self.model(input_ids, attention_mask, token_type_ids, return_dict=False)
        return answer[:2]


def inputs(batch, sequence):
    ids = torch.randint(1000, 20000, (batch, sequence))
    return ids, torch.ones_like(ids), torch.zeros_like(ids)


def export(model, path, dynamo):
    axes = {0: "batch_size", 1: "sequence_length"}
    options = {"dynamic_axes": {name: axes for name in [*NAMES, "last_hidden_state"]}}
    if dynamo:
        batch, sequence = torch.export.Dim("batch_size"), torch.export.Dim("sequence_length")
        shape = {0: batch, 1: sequence}
        options = {"dynamic_shapes": {name: shape for name in NAMES}, "external_data": False}
    start = time.perf_counter()
    torch.onnx.export(
        Plain(model).eval(),
        inputs(2, 37),
        str(path),
        input_names=NAMES,
        output_names=["last_hidden_state", "pooler_output"],
        opset_version=18 if dynamo else OPSET,
        dynamo=dynamo,
        **options,
    )
    print(f"{path.name}: {time.perf_counter() - start:.1f} s", flush=True)


def attempt(action, path, not_made):
    path.unlink(missing_ok=True)
    try:
        action()
    except Exception as error:  # whatever an exporter throws
        not_made[path.name] = f"not made: {type(error).__name__}: {error}"
        print(f"{path.name}: {not_made[path.name]}", file=sys.stderr, flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--layers", type=int, default=12)
    arguments = arguments.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)

    size = {"vocab_size": 21128, "num_hidden_layers": arguments.layers}
    nezha = NezhaModel(NezhaConfig(**size)).eval()
    nezha.save_pretrained(folder / "checkpoint")
    not_made = {}
    torchscript, dynamo = folder / "torchscript.onnx", folder / "dynamo.onnx"
    attempt(lambda: export(nezha, torchscript, False), torchscript, not_made)
    attempt(lambda: export(nezha, dynamo, True), dynamo, not_made)
    del nezha

    bert = BertModel(BertConfig(**size, attn_implementation="eager")).eval()
    plain, quantized = folder / "bert.onnx", folder / "bert_int8.onnx"
    attempt(lambda: export(bert, plain, False), plain, not_made)
    attempt(lambda: quantize_dynamic(plain, quantized, weight_type=QuantType.QInt8), quantized, not_made)
    (folder / "not_made.json").write_text(json.dumps(not_made, indent=1) + "\n")


if __name__ == "__main__":
    main()
