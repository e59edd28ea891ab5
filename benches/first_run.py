"""How long after its start the demo prints its first line and its table, without ONNX Runtime and OpenVINO.

    cargo build --release
    python3 benches/first_run.py [target/release/nezha]
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 5


def run(program, home):
    """Seconds to the first line and to the end."""
    hidden = ("ORT_DYLIB_PATH", "OPENVINO_DYLIB_PATH", "VIRTUAL_ENV", "CONDA_PREFIX")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment.update(HOME=home, XDG_CACHE_HOME=home)
    begin = time.monotonic()
    demo = subprocess.Popen([program, "demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    demo.stdout.readline()
    first = time.monotonic() - begin
    demo.stdout.read()
    assert demo.wait() == 0, "the demo failed"
    return first, time.monotonic() - begin


program = sys.argv[1] if len(sys.argv) > 1 else "target/release/nezha"
with tempfile.TemporaryDirectory() as home:
    firsts, ends = zip(*(run(program, home) for _ in range(RUNS)))
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"first line  best {min(firsts):.2f} s, median {statistics.median(firsts):.2f} s")
print(f"table       best {min(ends):.2f} s, median {statistics.median(ends):.2f} s")
print(f"processor   {(used.ru_utime + used.ru_stime) / RUNS:.2f} s for each of {RUNS} runs")
