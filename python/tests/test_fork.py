"""Processes that fork. Each test gives the children a deadline: what hangs is the bug that is looked for."""

import concurrent.futures
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request

import pytest
from conftest import COMPLAINT, MODELS, REVIEW

import nezha_onnx

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

SECONDS = 120
ENGINES = ["openvino", "ort", "tract"]


@pytest.fixture(autouse=True)
def deadline():
    """Ends a test that waits for what never comes."""

    def late(signum, frame):
        raise TimeoutError(f"not done in {SECONDS} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)


def in_child(work):
    """What `work` returns in a forked child, which then ends as Python's processes end."""
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        return pool.submit(Call(work)).result(SECONDS)


class Call:
    """A function that the child inherits, so that it need not be pickled."""

    works: dict = {}

    def __init__(self, work):
        self.key = id(work)
        Call.works[self.key] = work

    def __call__(self):
        return Call.works[self.key]()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pipeline_made_before_a_fork_answers_in_the_child_and_in_the_parent(engine, sentiment):
    classifier = nezha_onnx.TextClassification(sentiment, engine=engine, top_k=None, threads=2)
    expected = classifier([REVIEW, COMPLAINT])
    assert in_child(lambda: classifier([REVIEW, COMPLAINT])) == expected
    assert classifier([REVIEW, COMPLAINT]) == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_a_child_of_a_child_answers_too(engine, sentiment):
    session = nezha_onnx.Session(sentiment / "model.onnx", engine=engine)
    expected = session({"input_ids": [[101, 2769, 102]]})["logits"].tolist()
    ask = lambda: session({"input_ids": [[101, 2769, 102]]})["logits"].tolist()
    child, grandchild = in_child(lambda: (ask(), forked_answer(ask)))
    assert (child, grandchild) == (expected, expected)


def forked_answer(ask):
    """The answer of a child that is made by hand."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, repr(ask()).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        found = answer.read()
    assert os.waitpid(child, 0)[1] == 0
    return eval(found)


@pytest.mark.parametrize("engine", ENGINES)
def test_inherited_engines_that_are_dropped_or_never_used_hurt_no_child(engine, sentiment):
    kept = nezha_onnx.Session(sentiment / "model.onnx", engine=engine, threads=2)
    dropped = [nezha_onnx.Session(sentiment / "model.onnx", engine=engine, threads=2)]
    closed = nezha_onnx.Session(sentiment / "model.onnx", engine=engine, threads=2)

    def leave():
        dropped.clear()
        closed.close()
        return True

    assert in_child(leave)
    # A child that ends as a program does, with the interpreter's and the libraries' own ends.
    process = multiprocessing.get_context("fork").Process(target=lambda: kept.engine)
    process.start()
    process.join(SECONDS)
    assert process.exitcode == 0


PROGRAM = """
    import os, sys, nezha_onnx
    model, engine, use = sys.argv[1:]
    session = nezha_onnx.Session(model, engine=engine)
    ask = lambda: session({"input_ids": [[101, 2769, 102]]})
    ask()
    if os.fork() == 0:
        if use == "use":
            ask()
        print("child")
        sys.exit(3)
    print("parent", os.WEXITSTATUS(os.wait()[1]))
"""


@pytest.mark.parametrize("use", ["use", "leave"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_child_that_ends_as_a_program_does_ends_with_its_exit_code_and_its_output(engine, use, sentiment):
    arguments = [str(sentiment / "model.onnx"), engine, use]
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), *arguments]
    ran = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60)
    assert (ran.returncode, ran.stdout) == (0, "child\nparent 3\n"), ran.stderr


def test_a_child_of_a_busy_parent_answers(sentiment):
    import threading

    classifier = nezha_onnx.TextClassification(sentiment)
    expected = classifier([REVIEW] * 4)
    done = threading.Event()

    def work():
        while not done.is_set():
            classifier([REVIEW] * 16)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            assert in_child(lambda: classifier([REVIEW] * 4)) == expected
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_a_child_exports_though_its_parent_did(tmp_path):
    source = MODELS / "nezha-tiny-zh-sentiment"
    # Quantizing takes the threads of a pool, which the child inherits without them.
    nezha_onnx.export(source, tmp_path / "parent", dtype="int8")
    in_child(lambda: nezha_onnx.export(source, tmp_path / "child", dtype="int8").path)
    written = (tmp_path / "child" / "model_int8.onnx").read_bytes()
    assert written == (tmp_path / "parent" / "model_int8.onnx").read_bytes()


def test_a_pool_of_processes_shares_what_was_made_before_it(sentiment):
    global shared
    shared = nezha_onnx.TextClassification(sentiment)
    texts = [REVIEW, COMPLAINT] * 20
    expected = [shared(it) for it in texts]
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert pool.map_async(ask_shared, texts).get(SECONDS) == expected


def ask_shared(text):
    return shared(text)


def test_a_scorer_crosses_a_fork(sentiment):
    pyarrow = pytest.importorskip("pyarrow")
    scorer = nezha_onnx.Scorer(sentiment)
    rows = pyarrow.record_batch({"text": [REVIEW, COMPLAINT]})
    expected = scorer(rows).to_pydict()
    assert in_child(lambda: scorer(rows).to_pydict()) == expected


APPLICATION = """
    import os
    import nezha_onnx

    classifier = nezha_onnx.TextClassification({model!r})
    classifier("房间很干净")
    parent = os.getpid()

    def application(environ, start_response):
        [answer] = classifier("房间很干净，服务热情，下次还会住。")
        assert os.getpid() != parent
        body = f"{{answer['label']}} {{os.getpid()}}".encode()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body]
"""


def test_gunicorn_with_preload_answers_from_every_worker(sentiment, tmp_path):
    (tmp_path / "service.py").write_text(textwrap.dedent(APPLICATION.format(model=str(sentiment))))
    log = tmp_path / "log"
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--bind", "127.0.0.1:0"]
    with log.open("w") as out:
        server = subprocess.Popen([*command, "service:application"], cwd=tmp_path, stderr=out, stdout=out)
    try:
        address = listening(log, server)
        answers = {urllib.request.urlopen(address, timeout=60).read().decode() for _ in range(40)}
    finally:
        server.terminate()
        assert server.wait(60) == 0, log.read_text()
    assert {it.split()[0] for it in answers} == {"positive"}
    assert len(answers) <= 2
    assert "Worker failed" not in log.read_text() and "SIGSEGV" not in log.read_text()


def listening(log, server):
    """Where gunicorn says that it listens."""
    for _ in range(600):
        if server.poll() is not None:
            break
        for line in log.read_text().splitlines():
            if "Listening at: " in line:
                return line.split("Listening at: ")[1].split()[0]
        time.sleep(0.1)
    raise AssertionError(log.read_text())


TASKS = """
    import os
    import celery
    import nezha_onnx

    app = celery.Celery(broker="filesystem://", backend="file://{folder}/results")
    app.conf.broker_transport_options = {{
        "data_folder_in": "{folder}/queue", "data_folder_out": "{folder}/queue", "control_folder": "{folder}/control"
    }}
    classifier = nezha_onnx.TextClassification({model!r})
    classifier("房间很干净")
    parent = os.getpid()

    @app.task
    def label(text):
        assert os.getpid() != parent
        return [classifier(text)[0]["label"], os.getpid()]
"""

CLIENT = """
    import json
    import tasks

    waiting = [tasks.label.delay(text) for text in ["房间很干净，服务热情，下次还会住。"] * 20]
    print(json.dumps([it.get(timeout=100) for it in waiting]))
"""


def test_celerys_workers_answer_with_what_was_made_before_they_forked(sentiment, tmp_path):
    for name in ["queue", "results", "control"]:
        (tmp_path / name).mkdir()
    (tmp_path / "tasks.py").write_text(textwrap.dedent(TASKS.format(folder=tmp_path, model=str(sentiment))))
    command = [sys.executable, "-m", "celery", "--app", "tasks", "worker", "--pool", "prefork", "--concurrency", "2"]
    log = tmp_path / "log"
    with log.open("w") as out:
        worker = subprocess.Popen(command, cwd=tmp_path, stderr=out, stdout=out)
    try:
        asked = [sys.executable, "-c", textwrap.dedent(CLIENT)]
        answered = subprocess.run(asked, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=SECONDS - 10)
        assert answered.returncode == 0, answered.stderr + log.read_text()
    finally:
        worker.terminate()
        assert worker.wait(60) == 0, log.read_text()
    answers = json.loads(answered.stdout)
    assert [label for label, _ in answers] == ["positive"] * 20
    assert "SIGSEGV" not in log.read_text() and "WorkerLostError" not in log.read_text()
