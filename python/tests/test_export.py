"""From checkpoints and from memory: the same bytes, whole or not at all."""

import json
import os
import signal
import threading

import ml_dtypes
import numpy as np
import pytest
from conftest import FIXTURES, MODELS, nezha
from safetensors.numpy import load_file, save_file

import nezha_onnx

SENTIMENT = MODELS / "nezha-tiny-zh-sentiment"


def content(folder):
    return {it.name: it.read_bytes() for it in sorted(folder.iterdir())}


def test_the_command_and_the_module_write_the_same_bytes(tmp_path):
    nezha("export", SENTIMENT, "-o", tmp_path / "command", "--dtype", "fp32,int8", "--probabilities")
    exported = nezha_onnx.export(SENTIMENT, tmp_path / "module", dtype=["fp32", "int8"], probabilities=True)
    assert [it.dtype for it in exported.artifacts] == ["fp32", "int8"]
    assert content(tmp_path / "module") == content(tmp_path / "command")


def test_every_option_of_the_command_is_one_of_the_module(tmp_path):
    exported = nezha_onnx.export(
        MODELS / "nezha-tiny-zh",
        tmp_path,
        head="base",
        dtype="fp32",
        storage="fp16",
        opset=18,
        weights="external",
        outputs=["attentions"],
        inputs=["head-mask"],
        fixed_axes={"batch_size": 1},
        gather="flat",
    )
    [artifact] = exported.artifacts
    assert (artifact.opset, artifact.dtype) == (18, "fp16-storage")
    assert len(exported.weights) == 1
    found = nezha_onnx.inspect(artifact.path)
    assert json.loads(found["metadata"]["nezha.graph_options"])["gather"] == "flat"
    session = nezha_onnx.Session(artifact.path)
    assert [it.name for it in session.get_inputs()] == ["input_ids", "attention_mask", "token_type_ids", "head_mask"]
    assert session.get_inputs()[0].shape == [1, "sequence_length"]


def test_a_services_names_and_types_are_the_graphs(tmp_path):
    exported = nezha_onnx.export(
        SENTIMENT, tmp_path, rename={"input_ids": "ids", "logits": "scores"}, input_dtype="int32", mask="from-padding",
        token_types=False,
    )
    session = nezha_onnx.Session(exported.path)
    assert [(it.name, it.type) for it in session.get_inputs()] == [("ids", "tensor(int32)")]
    assert [it.name for it in session.get_outputs()] == ["scores"]
    assert nezha_onnx.TextClassification(tmp_path)("房间很干净，服务热情。")[0]["label"] == "positive"


def test_all_heads_are_written_and_the_others_told(tmp_path):
    exported = nezha_onnx.export(MODELS / "nezha-tiny-zh", tmp_path, head="all")
    heads = [it.head for it in exported.artifacts]
    assert "masked-lm" in heads
    assert "token-classification" in exported.skipped


def test_verification_and_agreement_come_with_the_export(tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("房间很干净\n后悔买了\n", encoding="utf-8")
    exported = nezha_onnx.export(
        SENTIMENT, tmp_path / "out", dtype=["fp32", "int8"], agreement=lines, verify=True, engine="ort"
    )
    [certificate, _] = exported.certificates
    assert certificate and certificate.report["passed"]
    [agreement] = exported.agreement
    [logits] = agreement.outputs
    assert logits["cosine_similarity"] > 0.99
    assert "<td>logits</td>" in agreement._repr_html_()
    assert "passed" in certificate._repr_html_()


def test_an_artifact_of_another_checkpoint_does_not_pass(tmp_path, sentiment):
    found = nezha_onnx.verify(sentiment / "model.onnx", SENTIMENT, engines=["tract"])
    assert found and found.report["initializers"]["differing"] == 0
    other = load_file(SENTIMENT / "model.safetensors")
    name = "classifier.bias"
    other[name] = other[name] + np.asarray(1, dtype=other[name].dtype)
    config = json.loads((SENTIMENT / "config.json").read_text())
    assert not nezha_onnx.verify(sentiment / "model.onnx", other, config=config, engines=["tract"])


def test_a_state_dict_gives_the_bytes_of_the_saved_file(tmp_path):
    for head in ["sequence-classification", "masked-lm", "base"]:
        checkpoint = FIXTURES / "reach-4" / head
        nezha_onnx.export(checkpoint, tmp_path / f"{head}-file")
        tensors = load_file(checkpoint / "model.safetensors")
        config = json.loads((checkpoint / "config.json").read_text())
        nezha_onnx.export(tensors, tmp_path / f"{head}-memory", config=config)
        assert content(tmp_path / f"{head}-memory") == content(tmp_path / f"{head}-file"), head
        nezha_onnx.export(tensors, tmp_path / f"{head}-path", config=checkpoint / "config.json")
        assert content(tmp_path / f"{head}-path") == content(tmp_path / f"{head}-file"), head


def test_a_state_dict_takes_its_tokenizer_from_a_folder(tmp_path):
    tensors = load_file(SENTIMENT / "model.safetensors")
    nezha_onnx.export(tensors, tmp_path / "memory", config=SENTIMENT / "config.json", tokenizer=SENTIMENT)
    nezha_onnx.export(SENTIMENT, tmp_path / "file")
    assert content(tmp_path / "memory") == content(tmp_path / "file")
    [answer] = nezha_onnx.TextClassification(tmp_path / "memory")("房间很干净，服务热情。")
    assert answer["label"] == "positive"


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_a_state_dict_of_any_type_gives_the_bytes_of_the_saved_file(dtype, tmp_path):
    checkpoint = FIXTURES / "reach-4" / "sequence-classification"
    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    tensors = {name: it.astype(kind) for name, it in load_file(checkpoint / "model.safetensors").items()}
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "config.json").write_bytes((checkpoint / "config.json").read_bytes())
    save_file(tensors, saved / "model.safetensors")
    nezha_onnx.export(saved, tmp_path / "file")
    nezha_onnx.export(tensors, tmp_path / "memory", config=checkpoint / "config.json")
    assert content(tmp_path / "memory") == content(tmp_path / "file")


class Tied(np.ndarray):
    """An array that says where it lies, as torch's tensors do."""

    def data_ptr(self):
        return self.ctypes.data


class Config:
    """A config that writes itself, as transformers' do."""

    def __init__(self, fields):
        self.__dict__.update(fields)

    def to_json_string(self):
        return json.dumps(self.__dict__, indent=2, sort_keys=True) + "\n"


class NezhaForMaskedLM:
    """What is seen of a live model: its state dict with tied tensors under both names, and its config."""

    _tied_weights_keys = ["cls.predictions.decoder.weight", "cls.predictions.decoder.bias"]
    dtype = "torch.float32"

    def __init__(self, folder):
        self.config = Config(json.loads((folder / "config.json").read_text()))
        self.config.architectures = None
        tensors = load_file(folder / "model.safetensors")
        self.tensors = {name: it.view(Tied) for name, it in tensors.items()}
        self.tensors["cls.predictions.decoder.weight"] = self.tensors["nezha.embeddings.word_embeddings.weight"]
        self.tensors["cls.predictions.decoder.bias"] = self.tensors["cls.predictions.bias"]

    def state_dict(self):
        return self.tensors


def test_a_live_model_gives_the_bytes_of_what_it_would_save(tmp_path):
    checkpoint = FIXTURES / "reach-4" / "masked-lm"
    nezha_onnx.export(NezhaForMaskedLM(checkpoint), tmp_path / "memory")
    nezha_onnx.export(checkpoint, tmp_path / "file")
    assert content(tmp_path / "memory") == content(tmp_path / "file")


class Buffer:
    """Memory that speaks DLPack and nothing else."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


@pytest.mark.parametrize("offer", [Buffer, lambda it: memoryview(it)], ids=["dlpack", "buffer"])
def test_tensors_come_by_dlpack_and_by_the_buffer_protocol(offer, tmp_path):
    checkpoint = FIXTURES / "reach-4" / "base"
    tensors = {name: offer(it.copy()) for name, it in load_file(checkpoint / "model.safetensors").items()}
    nezha_onnx.export(tensors, tmp_path / "memory", config=checkpoint / "config.json")
    nezha_onnx.export(checkpoint, tmp_path / "file")
    assert content(tmp_path / "memory") == content(tmp_path / "file")


def test_what_is_no_state_dict_is_refused_by_name(tmp_path):
    with pytest.raises(nezha_onnx.InputError, match="'optimizer' is dict"):
        nezha_onnx.export({"optimizer": {}}, tmp_path, config={"model_type": "nezha"})
    with pytest.raises(nezha_onnx.InputError, match="needs config"):
        nezha_onnx.export({}, tmp_path)
    with pytest.raises(nezha_onnx.InputError, match="found int"):
        nezha_onnx.export(3, tmp_path)


def test_progress_ends_with_everything_written(tmp_path):
    told = []
    nezha_onnx.export(SENTIMENT, tmp_path, progress=lambda written, total: told.append((written, total)))
    assert told[-1][0] == told[-1][1] > 1_000_000
    assert told == sorted(told)


class OwnError(Exception):
    pass


def test_an_exception_in_the_callback_ends_the_export_and_leaves_nothing(tmp_path):
    def fail(written, total):
        raise OwnError(written)

    out = tmp_path / "out"
    with pytest.raises(OwnError):
        nezha_onnx.export(SENTIMENT, out, progress=fail)
    assert not out.exists() or list(out.iterdir()) == []


def test_a_keyboard_interrupt_in_the_middle_of_an_export_leaves_the_old_artifact(tmp_path):
    # A shell has its background jobs ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nezha_onnx.export(SENTIMENT, tmp_path)
    before = content(tmp_path)
    told = []

    def interrupt(written, total):
        told.append(written)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        nezha_onnx.export(SENTIMENT, tmp_path, dtype=["fp32", "int8", "fp16"], force=True, progress=interrupt)
    assert len(told) == 1
    assert content(tmp_path) == before


def test_other_threads_run_while_an_export_does(tmp_path):
    ran = threading.Event()
    waited = []

    def progress(written, total):
        if not waited:
            threading.Thread(target=ran.set).start()
            waited.append(ran.wait(10))

    nezha_onnx.export(SENTIMENT, tmp_path, progress=progress)
    assert waited == [True]


def test_a_checkpoint_is_inspected_drawn_and_listed(sentiment):
    found = nezha_onnx.inspect(SENTIMENT)
    assert found["kind"] == "checkpoint"
    drawn = nezha_onnx.diagram(sentiment / "model.onnx", scope="nezha.embeddings")
    assert drawn._repr_svg_() == str(drawn)
    assert str(drawn).startswith("<svg")
    assert "logits" in nezha_onnx.listing(sentiment / "model.onnx")
    with pytest.raises(nezha_onnx.OptionError, match="no node"):
        nezha_onnx.diagram(sentiment / "model.onnx", scope="nezha.decoder")
