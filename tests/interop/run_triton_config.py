"""Triton's own schema over the config.pbtxt of each head, written with instances and TensorRT: nothing is served."""

import json
import sys
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2


def check(text, case):
    """Raises what is wrong with the configuration of a model that answers the case."""
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    inputs = {it.name: model_config_pb2.DataType.Name(it.data_type) for it in config.input}
    expected = {name: f"TYPE_{it['dtype'].upper()}" for name, it in case["inputs"].items()}
    if inputs != expected:
        raise ValueError(f"inputs {inputs}, expected {expected}")
    outputs = {it.name for it in config.output}
    if not outputs & set(case["outputs"]):
        raise ValueError(f"none of {sorted(outputs)} is an output of transformers")
    [group] = config.instance_group
    if group.count != 2 or group.kind != model_config_pb2.ModelInstanceGroup.KIND_GPU:
        raise ValueError(f"instances {group}")
    [accelerator] = config.optimization.execution_accelerators.gpu_execution_accelerator
    profiles = {f"trt_profile_{size}_shapes" for size in ("min", "opt", "max")}
    if accelerator.name != "tensorrt" or set(accelerator.parameters) != profiles:
        raise ValueError(f"accelerator {accelerator}")


for path in sorted(Path(sys.argv[1]).glob("*.json")):
    document = json.loads(path.read_text())
    result = {"head": document["head"]}
    try:
        repository = Path(document["model"]).parents[2] / "triton"
        text = (repository / f"nezha-{document['head']}" / "config.pbtxt").read_text()
        check(text, document["cases"][0])
    except Exception as error:  # the parser's own among them
        result["reason"] = f"{type(error).__name__}: {error}"
    print(json.dumps(result), flush=True)
