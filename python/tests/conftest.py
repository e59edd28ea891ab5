"""What the tests share. They run against the installed package, in the repository for its checkpoints."""

import subprocess
import sys
from pathlib import Path

import pytest

import nezha_onnx

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
FIXTURES = ROOT / "tests" / "fixtures"
TEXT = FIXTURES / "text"

REVIEW = "房间很干净，服务热情，下次还会住。"
COMPLAINT = "屏幕有坏点，客服不理人，后悔买了。"


def nezha(*arguments, check=True, **options):
    """Runs the command that is in the package."""
    command = [sys.executable, "-m", "nezha_onnx", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=check, **options)


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """The folder of an artifact of a checkpoint, exported once."""
    folders = {}

    def folder(checkpoint, head=None, **options):
        key = (str(checkpoint), head, tuple(sorted(options.items())))
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp("artifact")
            nezha_onnx.export(checkpoint, folders[key], head=head, **options)
        return folders[key]

    return folder


@pytest.fixture(scope="session")
def sentiment(exported):
    return exported(MODELS / "nezha-tiny-zh-sentiment")
