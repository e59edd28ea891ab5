"""What `nezha bench` compares our artifacts with: other exporters' graphs of the same weights.

    python benches/peers/make.py FOLDER [--layers 12]

Writes into FOLDER, with random weights at base size:

    checkpoint/           a NEZHA as transformers saves it, for `nezha export`
    torchscript.onnx      the same, by torch.onnx.export's TorchScript exporter
    dynamo.onnx           the same, by its dynamo exporter
    bert.onnx             a BERT of the same size, which is what relative positions come on top of
    bert_int8.onnx        that BERT through onnxruntime's dynamic per-tensor quantizer
    eager.json            transformers' own latency, milliseconds for each shape

Needs requirements.txt. An exporter that fails is reported and left out; nothing stands for it.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import BertConfig, BertModel, NezhaConfig, NezhaModel

OPSET = 17
NAMES = ["input_ids", "attention_mask", "token_type_ids"]
SHAPES = [(1, 16), (1, 64), (1, 128), (8, 128), (1, 512), (4, 512)]
RUNS = 11


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


def attempt(action, name):
    try:
        action()
    except Exception as error:  # whatever an exporter throws
        print(f"{name}: not made: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


def eager(model):
    """Median milliseconds by shape."""
    latencies = {}
    with torch.inference_mode():
        for shape in SHAPES:
            batch = inputs(*shape)
            times = []
            for _ in range(RUNS):
                start = time.perf_counter()
                model(*batch)
                times.append(1e3 * (time.perf_counter() - start))
            latencies["x".join(map(str, shape))] = round(statistics.median(times[1:]), 2)
    return latencies


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
    attempt(lambda: export(nezha, folder / "torchscript.onnx", False), "torchscript.onnx")
    attempt(lambda: export(nezha, folder / "dynamo.onnx", True), "dynamo.onnx")
    (folder / "eager.json").write_text(json.dumps(eager(nezha), indent=1) + "\n")
    del nezha

    bert = BertModel(BertConfig(**size, attn_implementation="eager")).eval()
    attempt(lambda: export(bert, folder / "bert.onnx", False), "bert.onnx")
    quantized = folder / "bert_int8.onnx"
    attempt(
        lambda: quantize_dynamic(folder / "bert.onnx", quantized, weight_type=QuantType.QInt8),
        quantized.name,
    )


if __name__ == "__main__":
    main()
