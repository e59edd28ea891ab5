"""Writes the model of `safetensors` as people save it in training, into `wrapped`.

    python wrapped.py        (torch, numpy and safetensors)

The tests read every form and find the same weights. `wrapped/CASE` is a folder with its config;
what has to come of each stands in `checkpoint_wrappings.rs`.
"""

import pickle
import shutil
from pathlib import Path

import numpy
import torch
from safetensors.torch import load_file

HERE = Path(__file__).parent
OUT = HERE / "wrapped"


def folder(name):
    path = OUT / name
    path.mkdir(parents=True)
    shutil.copy(HERE / "safetensors" / "config.json", path)
    return path


def save(name, value, file="pytorch_model.bin", **options):
    path = OUT / name
    torch.save(value, (path if path.exists() else folder(name)) / file, **options)


def prefixed(prefix, state):
    return {prefix + name: tensor for name, tensor in state.items()}


def module_of(state):
    """Modules that hold `state` as their parameters, whatever their class is."""
    tree = torch.nn.Module()
    for name, tensor in state.items():
        *path, parameter = name.split(".")
        module = tree
        for part in path:
            if part not in module._modules:
                module.add_module(part, torch.nn.Module())
            module = module._modules[part]
        module.register_parameter(parameter, torch.nn.Parameter(tensor))
    return tree


def optimizer_state(state):
    """What torch.optim keeps, by numbers of parameters."""
    moments = {number: {"step": 5, "exp_avg": torch.zeros_like(it)} for number, it in enumerate(state.values())}
    return {"state": moments, "param_groups": [{"lr": 1e-5, "params": list(moments)}]}


class Arguments:
    def __init__(self):
        self.learning_rate = 1e-5


def torch_files(state):
    optimizer = optimizer_state(dict(list(state.items())[:2]))
    save("key", {"state_dict": state, "epoch": 3})
    save("key-twice", {"checkpoint": {"net": state}, "epoch": 3}, "last.pth.tar")
    save("key-of-numbers", {0: state, "step": 100}, "model.pkl")
    save("training", {"model_state_dict": state, "optimizer_state_dict": optimizer, "best_f1": numpy.float64(0.9), "history": numpy.zeros(3)}, "best.pth")
    save("training-legacy", {"model": state, "optimizer": optimizer, "best": numpy.float32(0.9)}, "best.pt", _use_new_zipfile_serialization=False)
    save("lightning", {"epoch": 3, "global_step": 100, "pytorch-lightning_version": "2.1.0", "state_dict": prefixed("model.", state), "hyper_parameters": {"lr": 1e-5}, "callbacks": {}, "lr_schedulers": []}, "epoch=3.ckpt")
    save("deepspeed", {"module": prefixed("module.", state), "ds_version": "0.9", "lr_scheduler": None, "dp_world_size": 1}, "mp_rank_00_model_states.pt")
    save("any-name", state, "best_model.pth")
    save("any-ending", state, "pytorch_model.bin.ep3")
    save("no-ending", state, "weights")
    save("two-candidates", state, "fold0.pt")
    save("two-candidates", state, "fold1.pt")
    save("moving-average", {"model": state, "ema": {name: tensor + 1 for name, tensor in state.items()}}, "best.pt")
    save("in-parts", {"encoder": {name[6:]: it for name, it in state.items() if name.startswith("nezha.")}, "cls": {name[4:]: it for name, it in state.items() if name.startswith("cls.")}})
    # A module is its state dict, also under a key and with another beside it.
    named = {name.replace("nezha.", "bert_model."): tensor for name, tensor in state.items()}
    save("module", module_of(named), "bert_0.pth")
    save("module-under-a-key", {"net": module_of(prefixed("backbone.", state)), "epoch": 1}, "bert_0.pth")
    # Beside the weights lies what a trainer leaves.
    save("among-others", state, "best_model.pt")
    save("among-others", optimizer, "optimizer.pt")
    save("among-others", {"last_epoch": 3, "_last_lr": [1e-5]}, "scheduler.pt")
    save("among-others", {"scale": 65536.0, "growth_factor": 2.0}, "scaler.pt")
    save("among-others", Arguments(), "training_args.bin")
    save("among-others", {"python": (3, (1, 2), None), "cpu": torch.zeros(8, dtype=torch.uint8)}, "rng_state.pth")
    save("foreign", {"state_dict": state, "args": Arguments()})


class Call:
    def __init__(self, function, argument):
        self.call = function, (argument,)

    def __reduce__(self):
        return self.call


def paddle_names(name):
    for theirs, ours in [
        ("embeddings.LayerNorm", "embeddings.layer_norm"),
        ("attention.output.LayerNorm", "attention.layer_norm"),
        ("attention.output.dense", "attention.dense"),
        ("attention.self.", "attention."),
        ("intermediate.dense", "ffn"),
        ("output.LayerNorm", "layer_norm"),
        ("output.dense", "ffn_output"),
        ("predictions.transform.dense", "predictions.dense"),
        ("predictions.transform.LayerNorm", "predictions.layer_norm"),
        ("predictions.bias", "predictions.decoder_bias"),
    ]:
        name = name.replace(theirs, ours)
    return name


def is_linear(name, array):
    return array.ndim == 2 and "embeddings" not in name


def paddle_files(state):
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    theirs = {paddle_names(name): numpy.ascontiguousarray(it.T) if is_linear(name, it) else it for name, it in arrays.items()}
    extra = {"StructuredToParameterName@@": {name: name for name in theirs}}

    def dump(name, value, protocol):
        path = folder(name) / "model_state.pdparams"
        path.write_bytes(pickle.dumps(value, protocol=protocol))

    for protocol in [2, 3, 4, 5]:
        dump(f"paddle-protocol-{protocol}", theirs | extra, protocol)
    # Tensors that paddle.save pickles one by one are tuples of a name and an array.
    dump("paddle-tuples", {name: (name, it) for name, it in theirs.items()}, 4)
    dump("paddle-nested", {"model": theirs, "epoch": 3, "best": numpy.float64(0.5)}, 4)
    dump("paddle-float16", {name: it.astype(numpy.float16) for name, it in theirs.items()}, 4)
    # Columns first in memory, which NumPy keeps.
    dump("paddle-columns-first", {name: numpy.asfortranarray(it) for name, it in theirs.items()}, 4)
    # PyTorch's names, with PyTorch's layout and with Paddle's: the shapes tell.
    dump("paddle-torch-names", arrays, 2)
    dump("paddle-torch-names-untransposed", {name: numpy.ascontiguousarray(it.T) if is_linear(name, it) else it for name, it in arrays.items()}, 4)
    # Nothing tells where every matrix is square.
    square = {name: it for name, it in arrays.items() if "intermediate.dense" not in name}
    square["nezha.encoder.layer.0.intermediate.dense.weight"] = numpy.zeros((8, 8), numpy.float32)
    dump("paddle-undecided", square, 4)
    dump("paddle-call", {"nezha.pooler.dense.bias": arrays["nezha.pooler.dense.bias"], "x": Call(print, "hello")}, 4)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    state = load_file(HERE / "safetensors" / "model.safetensors")
    torch_files(state)
    paddle_files(state)


if __name__ == "__main__":
    main()
