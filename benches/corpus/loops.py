"""What a user would write in place of `nezha score`: each a process that measure.py starts, and that scores the texts once
for every line on its standard input.

    python benches/corpus/loops.py KIND MODEL CHECKPOINT ROWS.jsonl THREADS

Each line of the answer is a JSON object: seconds by the clock, seconds of the processor, peak memory of the process with
Python and its packages, and the labels.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

MOST_TOKENS = 512
LABELS = ["negative", "positive"]


def opened(model, threads):
    """A model's tokenizer, and the model in onnxruntime."""
    import onnxruntime
    from transformers import BertTokenizerFast

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(f"{model}/model.onnx", options, ["CPUExecutionProvider"])
    return BertTokenizerFast.from_pretrained(model), session


def onnxruntime_loop(model, threads, rows, by_length):
    """A loop over onnxruntime with transformers' tokenizer, in batches of so many rows."""
    tokenizer, session = opened(model, threads)

    def score(texts):
        order = sorted(range(len(texts)), key=lambda it: len(texts[it])) if by_length else range(len(texts))
        order, labels = list(order), [None] * len(texts)
        for start in range(0, len(order), rows):
            batch = order[start : start + rows]
            encoded = tokenizer(
                [texts[it] for it in batch], padding=True, truncation=True, max_length=MOST_TOKENS, return_tensors="np"
            )
            [logits] = session.run(["logits"], {name: array.astype(np.int64) for name, array in encoded.items()})
            scores = np.exp(logits - logits.max(-1, keepdims=True))
            scores /= scores.sum(-1, keepdims=True)
            for row, best, score in zip(batch, scores.argmax(-1), scores.max(-1)):
                labels[row] = (LABELS[best], float(score))
        return [label for label, _ in labels]

    return score


def engine_alone(model, threads, rows, texts):
    """Only the runs of a session: batches of so many rows, which are tokens before."""
    tokenizer, session = opened(model, threads)
    starts = range(0, len(texts), rows)
    encoded = [tokenizer(texts[it : it + rows], padding=True, return_tensors="np") for it in starts]
    batches = [{name: array.astype(np.int64) for name, array in it.items()} for it in encoded]

    def score(texts):
        logits = [session.run(["logits"], batch)[0] for batch in batches[: -(-len(texts) // rows)]]
        return [LABELS[best] for best in np.concatenate(logits).argmax(-1)]

    return score


def transformers_pipeline(checkpoint, threads):
    """transformers' own pipeline, as its documentation writes it."""
    import torch
    from transformers import BertTokenizerFast, NezhaForSequenceClassification, pipeline

    torch.set_num_threads(threads)
    tokenizer = BertTokenizerFast.from_pretrained(checkpoint)
    model = NezhaForSequenceClassification.from_pretrained(checkpoint, torch_dtype=torch.float32).eval()
    classifier = pipeline("text-classification", model=model, tokenizer=tokenizer)

    def score(texts):
        return [it["label"] for it in classifier(texts, truncation=True, max_length=MOST_TOKENS)]

    return score


def module(model, threads):
    """The same question to the Python package."""
    import nezha_onnx

    classifier = nezha_onnx.TextClassification(model, engine="ort", threads=threads)
    return lambda texts: [it["label"] for it in classifier(texts)]


def main():
    kind, model, checkpoint, rows, threads = sys.argv[1:]
    threads = int(threads)
    texts = [json.loads(line)["text"] for line in Path(rows).read_text(encoding="utf-8").splitlines()]
    score = {
        "engine": lambda: engine_alone(model, threads, 8, texts),
        "file-order": lambda: onnxruntime_loop(model, threads, 32, by_length=False),
        "by-length": lambda: onnxruntime_loop(model, threads, 8, by_length=True),
        "transformers": lambda: transformers_pipeline(checkpoint, threads),
        "module": lambda: module(model, threads),
    }[kind]()
    # What is done once for a session is not the loop's.
    score(texts[:8])
    print("ready", flush=True)
    for _ in sys.stdin:
        begin, used = time.perf_counter(), time.process_time()
        labels = score(texts)
        seconds, used = time.perf_counter() - begin, time.process_time() - used
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"seconds": seconds, "processor": used, "kilobytes": peak, "labels": labels}), flush=True)


if __name__ == "__main__":
    main()
