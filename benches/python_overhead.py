"""One text of 64 tokens from Python, one thread: what `cargo bench --bench one_text` measures in Rust.

    python benches/python_overhead.py FOLDER [RUNS]

FOLDER holds an exported sequence classifier; a turn has RUNS runs, 100 by default.

The difference of both is what the interpreter costs. Give both the same library by ORT_DYLIB_PATH, in turns.
"""

import sys
import time

import nezha_onnx

#: 62 characters, `[CLS]` and `[SEP]`.
TEXT = ("房间很干净，服务热情，下次还会住。" * 4)[:62]
TURNS = 30


def main():
    classifier = nezha_onnx.TextClassification(sys.argv[1], threads=1)
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    turns = []
    for _ in range(TURNS):
        # The engine computes in the thread that calls, and other programs change its own time least.
        begin = time.thread_time()
        for _ in range(runs):
            classifier(TEXT)
        turns.append((time.thread_time() - begin) / runs * 1e6)
    turns.sort()
    print(f"{classifier.engine}: median {turns[TURNS // 2]:.1f} µs, least {turns[0]:.1f} µs")


if __name__ == "__main__":
    main()
