"""A Kubernetes Indexed Job and a Slurm array, as far as they go without either: the manifest is held to Kubernetes' schema,
and the commands of both run for every index, one index killed in between."""

import os
import subprocess

import kubernetes_validate
import pyarrow.parquet as pq
import yaml
from common import EXAMPLES, NEZHA, OPTIONS, PART_ROWS, Scene, check, committed, ended, kill, wait_for

KUBERNETES = "1.33"
scene = Scene()


def planned(name):
    """The output's path, once its plan is there."""
    output = scene.scratch / name
    command = [NEZHA, "score", "plan", scene.rows, "-o", output, "--model", scene.model, *OPTIONS, *PART_ROWS]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return output


def run_array(output, count, command, variables):
    """Runs the command of every index. The first is killed in the middle of its slice, and then started again as both
    schedulers would."""

    def start(index):
        return subprocess.Popen(command(index), env={**os.environ, **variables(index)}, stdout=subprocess.DEVNULL)

    lost = start(0)
    wait_for("a part", lambda: committed(output) > 0, lost)
    kill([lost.pid])
    lost.wait()
    for index in range(count):
        ended(start(index))
    subprocess.run([NEZHA, "score", "finish", output], check=True, stdout=subprocess.DEVNULL)
    check(scene.expected, pq.read_table(output))


job = yaml.safe_load((EXAMPLES / "kubernetes.yaml").read_text())
kubernetes_validate.validate(job, KUBERNETES, strict=True)
spec = job["spec"]
[container] = spec["template"]["spec"]["containers"]
output = planned("kubernetes.parquet")
places = {"nezha": NEZHA, "/share/scored": str(output), "4": "1"}


def in_pod(index):
    """The container's command, its variable filled in as the kubelet does, with this machine's paths and threads."""
    words = [word.replace("$(JOB_COMPLETION_INDEX)", str(index)) for word in container["command"]]
    return [places.get(word, word) for word in words]


run_array(output, spec["completions"], in_pod, lambda index: {})

script = EXAMPLES / "slurm.sh"
subprocess.run(["bash", "-n", script], check=True)
[first, last] = next(line for line in script.read_text().splitlines() if "--array=" in line).split("=")[1].split("-")
count = int(last) - int(first) + 1
output = planned("slurm.parquet")
folder = os.path.dirname(NEZHA)
run_array(
    output,
    count,
    lambda index: ["bash", str(script)],
    lambda index: {
        "OUT": str(output),
        "PATH": f"{folder}:{os.environ['PATH']}",
        "SLURM_ARRAY_TASK_ID": str(index),
        "SLURM_ARRAY_TASK_COUNT": str(count),
        "SLURM_CPUS_PER_TASK": "1",
    },
)
print(
    f"the Job fits the schema of Kubernetes {KUBERNETES}; the commands of its {spec['completions']} indexes and of Slurm's "
    f"{count} give every row once, the same bits, though one is killed; neither ran in a cluster"
)
