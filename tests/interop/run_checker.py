"""onnx.checker with shape inference, strict: the file alone, nothing is computed."""

import json
import sys
from pathlib import Path

import onnx

for path in sorted(Path(sys.argv[1]).glob("*.json")):
    document = json.loads(path.read_text())
    result = {"head": document["head"]}
    try:
        onnx.checker.check_model(document["model"], full_check=True)
        model = onnx.load(document["model"], load_external_data=False)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except Exception as error:  # the checker, the inference and protobuf each have their own
        result["reason"] = f"{type(error).__name__}: {error}"
    print(json.dumps(result), flush=True)
