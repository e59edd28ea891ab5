"""What every runner does: each head's cases through a stack, one JSON line for each head."""

import json
import sys
from pathlib import Path

import numpy as np


class Skipped(Exception):
    """The stack has nothing for this head."""


def array(tensor):
    return np.array(tensor["data"], tensor["dtype"]).reshape(tensor["shape"])


def run(load, wanted=lambda document, case: True):
    """`load(path)` gives a function from inputs by name to outputs by name; `wanted` chooses of a document's cases."""
    for path in sorted(Path(sys.argv[1]).glob("*.json")):
        document = json.loads(path.read_text())
        result = {"head": document["head"]}
        try:
            model = load(document["model"])
            result["error"] = max(worst(model, case) for case in document["cases"] if wanted(document, case))
        except Skipped as error:
            result["skipped"] = str(error)
        except Exception as error:  # whatever a stack throws is the answer
            result["reason"] = f"{type(error).__name__}: {error}"
        print(json.dumps(result), flush=True)


def worst(model, case):
    """The largest difference of all outputs that transformers gives too, as a share of the largest magnitude."""
    found = model({name: array(it) for name, it in case["inputs"].items()})
    compared = [difference(array(case["outputs"][name]), it) for name, it in found.items() if name in case["outputs"]]
    if not compared:
        raise ValueError(f"none of {sorted(found)} is an output of transformers")
    return max(compared)


def difference(expected, found):
    if expected.shape != found.shape:
        raise ValueError(f"shape {found.shape}, expected {expected.shape}")
    difference = np.abs(found.astype(np.float64) - expected)
    if not np.isfinite(difference).all():
        raise ValueError("a number that is none")
    return float(difference.max() / np.abs(expected).max())
