"""What a call from Python costs over the pipeline in Rust: one text of 64 tokens, one thread.

    python benches/python_overhead.py [FOLDER]      an artifact; the bundled sentiment model where absent

A list of texts is answered in one call, so its time by text, in batches of one, is the pipeline's own; a call
for each text has the interpreter's share on top. Both in turns, the median of each.
"""

import statistics
import sys
import tempfile
import time

import nezha_onnx

#: 62 characters, `[CLS]` and `[SEP]`.
TEXT = ("房间很干净，服务热情，下次还会住。" * 4)[:62]
TEXTS = 100
TURNS = 30


def took(work):
    # The engine computes in the thread that calls, and other programs change its own time least.
    begin = time.thread_time()
    work()
    return (time.thread_time() - begin) / TEXTS


def main():
    with tempfile.TemporaryDirectory() as folder:
        model = sys.argv[1] if len(sys.argv) > 1 else folder
        if model == folder:
            nezha_onnx.export("models/nezha-tiny-zh-sentiment", folder)
        measure(nezha_onnx.TextClassification(model, threads=1, batch_size=1))


def measure(classifier):
    each, together = [], []
    for _ in range(TURNS):
        each.append(took(lambda: [classifier(TEXT) for _ in range(TEXTS)]))
        together.append(took(lambda: classifier([TEXT] * TEXTS)))
    call, pipeline = (statistics.median(it) * 1e6 for it in (each, together))
    print(f"{classifier.engine}: a call {call:.1f} µs, the pipeline {pipeline:.1f} µs, {call / pipeline - 1:+.1%}")


if __name__ == "__main__":
    main()
