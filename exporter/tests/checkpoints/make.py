"""Writes one small model in every form a NEZHA checkpoint comes in, and pickles that aren't one.

    python make.py        (with the packages of tests/fixtures/requirements.txt)

Every folder but `hostile` holds the weights of `safetensors`; the tests compare them all with it.
"""

import collections
import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import NezhaConfig, NezhaForPreTraining
from transformers.models.deprecated.nezha.modeling_nezha import NezhaRelativePositionsEncoding

HERE = Path(__file__).parent
SETTINGS = {
    "vocab_size": 17,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_relative_position": 3,
    "max_position_embeddings": 16,
}
HUAWEI = {
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 8,
    "initializer_range": 0.02,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "type_vocab_size": 2,
    "vocab_size": 17,
    "use_relative_position": True,
}


def folder(name, config, file="config.json"):
    path = HERE / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    (path / file).write_text(json.dumps(config, indent=2) + "\n")
    return path


def shard(path, state, extension, save):
    """Splits `state` in two files with an index, in the layout of save_pretrained."""
    names = sorted(state)
    stem = "model" if extension == "safetensors" else "pytorch_model"
    weight_map = {}
    for number, part in enumerate([names[::2], names[1::2]], start=1):
        file = f"{stem}-{number:05}-of-00002.{extension}"
        save({name: state[name] for name in part}, path / file)
        weight_map.update(dict.fromkeys(part, file))
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (path / f"{stem}.{extension}.index.json").write_text(json.dumps(index, indent=2) + "\n")


def huawei_names(state):
    """What Huawei's PyTorch code saves from data-parallel training, converted from TensorFlow."""
    renamed = collections.OrderedDict()
    for name, tensor in state.items():
        name = name.replace("nezha.", "bert.")
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        name = name.replace("cls.predictions.bias", "cls.predictions.decoder.bias")
        if tensor.dim() == 2 and ".layer." in name:
            tensor = tensor.t().contiguous().t()  # TensorFlow's kernels: transposed in the file
        renamed["module." + name] = tensor
    for layer in range(SETTINGS["num_hidden_layers"]):
        prefix = f"module.bert.encoder.layer.{layer}.attention.self.relative_positions_encoding."
        renamed[prefix + "positions_encoding"] = NezhaRelativePositionsEncoding(16, 4, 64).positions_encoding
    renamed["module.bert.embeddings.position_ids"] = torch.arange(16)[None]
    return renamed


class Call:
    """Pickles as a call of `function` with `argument`."""

    def __init__(self, function, argument):
        self.call = function, (argument,)

    def __reduce__(self):
        return self.call


def hostile(config):
    path = folder("hostile", config)
    command = Call(os.system, "touch nezha-onnx-was-here")
    torch.save(command, path / "os-system-alone.bin")
    torch.save({"pooler.dense.bias": torch.ones(8), "x": command}, path / "os-system-in-zip.bin")
    torch.save(
        {"pooler.dense.bias": torch.ones(8), "x": [command]},
        path / "os-system-in-legacy.bin",
        _use_new_zipfile_serialization=False,
    )
    torch.save({"pooler.dense.bias": torch.ones(1).expand(1 << 20)}, path / "expanded.bin")
    torch.save({"pooler.dense.bias": torch.ones(8).to_sparse()}, path / "sparse.bin")
    (path / "bare-pickle.bin").write_bytes(pickle.dumps({"x": command}))
    with zipfile.ZipFile(path / "no-pickle.bin", "w") as archive:
        archive.writestr("archive/data/0", b"\0" * 16)
    with zipfile.ZipFile(HERE / "zip" / "pytorch_model.bin") as source:
        state = source.read("pytorch_model/data.pkl")
    with zipfile.ZipFile(path / "missing-storage.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", state)
    deep = pickle.PROTO + b"\x02" + pickle.EMPTY_LIST * 100_000 + pickle.APPEND * 99_999 + pickle.STOP
    with zipfile.ZipFile(path / "deep.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", deep)


def main():
    torch.manual_seed(4)
    config = NezhaConfig(**SETTINGS, architectures=["NezhaForPreTraining"])
    state = NezhaForPreTraining(config).state_dict()
    tied = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}
    state = {name: torch.randn_like(tensor) for name, tensor in state.items() if name not in tied}
    config = json.loads(config.to_json_string())

    save_file(state, folder("safetensors", config) / "model.safetensors")
    torch.save(state, folder("zip", config) / "pytorch_model.bin")
    torch.save(
        collections.OrderedDict(state),
        folder("legacy", config) / "pytorch_model.bin",
        _use_new_zipfile_serialization=False,
    )
    shard(folder("sharded-safetensors", config), state, "safetensors", save_file)
    shard(folder("sharded-bin", config), state, "bin", torch.save)

    path = folder("huawei", HUAWEI, "bert_config.json")
    torch.save(huawei_names(state), path / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    torch.save(
        {name: torch.nn.Parameter(tensor) for name, tensor in state.items()},
        folder("parameters", config) / "pytorch_model.bin",
    )
    for dtype in [torch.float16, torch.bfloat16, torch.float64]:
        name = str(dtype).removeprefix("torch.")
        exact = {name: tensor.to(torch.bfloat16).to(torch.float16).to(dtype) for name, tensor in state.items()}
        save_file(exact, folder(name, config) / "model.safetensors")
        torch.save(exact, HERE / name / "pytorch_model.bin")
    hostile(config)


if __name__ == "__main__":
    main()
