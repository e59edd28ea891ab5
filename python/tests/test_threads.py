"""Several threads share one object; objects that go leave no memory behind."""

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from conftest import COMPLAINT, REVIEW

import nezha_onnx

KB = 1024


def resident():
    """Resident memory of this process, in kB."""
    gc.collect()
    with open("/proc/self/status") as status:
        [line] = [line for line in status if line.startswith("VmRSS")]
    return int(line.split()[1])


def test_eight_threads_share_a_pipeline_and_get_their_own_answers(sentiment):
    classifier = nezha_onnx.TextClassification(sentiment, engine_options=nezha_onnx.EngineOptions(sessions=2))
    texts = [REVIEW, COMPLAINT, REVIEW + COMPLAINT, "好", COMPLAINT * 3]
    expected = [classifier(it) for it in texts]

    def ask(number):
        found = [classifier(texts[(number + it) % len(texts)]) for it in range(50)]
        return found == [expected[(number + it) % len(texts)] for it in range(50)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [True] * 8


def test_the_interpreter_goes_on_while_a_model_computes(sentiment):
    classifier = nezha_onnx.TextClassification(sentiment, engine="tract", threads=1)
    counted, done = [], threading.Event()

    def count():
        while not done.is_set():
            counted.append(None)
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    begin = time.monotonic()
    classifier([REVIEW * 10] * 64)
    took = time.monotonic() - begin
    done.set()
    counter.join()
    # A thread that waits for the lock counts a few times; one that shares it, hundreds of times a second.
    assert len(counted) > 20 * took, f"{len(counted)} in {took:.2f} s"


def test_a_thousand_objects_leave_the_memory_level(sentiment):
    def make(count):
        for _ in range(count):
            session = nezha_onnx.Session(sentiment / "model.onnx", engine="ort", threads=1)
            session({"input_ids": [[101, 2769, 102]]})
            del session

    make(50)
    before = resident()
    make(1000)
    grown = resident() - before
    # A session of this model takes 10 MB: a leak of one in a hundred would show.
    assert grown < 30 * KB, f"{grown} kB after 1,000 sessions"


def test_ten_thousand_answers_leave_the_memory_level(sentiment):
    classifier = nezha_onnx.TextClassification(sentiment, threads=1)
    texts = [REVIEW, COMPLAINT] * 50
    for _ in range(10):
        classifier(texts, top_k=None)
    before = resident()
    for _ in range(100):
        classifier(texts, top_k=None)
    grown = resident() - before
    assert grown < 10 * KB, f"{grown} kB after 10,000 answers"
