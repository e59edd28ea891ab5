"""The command that the package brings."""

import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from conftest import COMPLAINT, MODELS, REVIEW, nezha

import nezha_onnx

SCRIPT = Path(sysconfig.get_path("scripts")) / "nezha"


def test_it_says_its_version_and_how_it_is_used():
    assert nezha("--version").stdout.strip() == f"nezha {nezha_onnx.__version__}"
    assert "text-classification" in nezha("--help").stdout


def test_exit_codes_are_those_of_the_binary(tmp_path):
    assert nezha("inspect", MODELS / "nezha-tiny-zh").returncode == 0
    failed = nezha("inspect", tmp_path / "none.bin", check=False)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("error: ")
    assert nezha("inspect", "--no-such-option", check=False).returncode == 2


def test_it_answers(sentiment):
    answered = nezha("text-classification", sentiment, REVIEW, COMPLAINT).stdout
    assert answered.index("positive") < answered.index("negative")


def test_measurements_start_the_command_again(sentiment, tmp_path):
    out = tmp_path / "bench.json"
    command = [str(SCRIPT), "bench", str(sentiment / "model.onnx"), "--shapes", "1x8", "--seconds", "0.1"]
    subprocess.run([*command, "--engines", "tract", "--json", str(out)], check=True, capture_output=True)
    assert "tract" in out.read_text()


def test_ctrl_c_ends_it(sentiment):
    command = [sys.executable, "-m", "nezha_onnx", "text-classification", str(sentiment)]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(2)
    running.send_signal(signal.SIGINT)
    assert running.wait(30) != 0
