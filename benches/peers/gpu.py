"""Measures transformers' own NEZHA on a GPU: eager and compiled, float32 and float16, with a checkpoint's weights.

    python benches/peers/gpu.py CHECKPOINT [--shapes 1x16,8x128] [--seconds 1] [--device cuda]

Prints a Markdown table of medians in ms. A way that fails is a row with the reason.
"""

import argparse
import statistics
from time import perf_counter

import torch
from transformers import NezhaForSequenceClassification

WARM_UP = 5


def median_ms(run, inputs, device, seconds):
    def once():
        begin = perf_counter()
        run(**inputs)
        if device == "cuda":
            torch.cuda.synchronize()
        return (perf_counter() - begin) * 1000

    for _ in range(WARM_UP):
        once()
    times, end = [], perf_counter() + seconds
    while perf_counter() < end or not times:
        times.append(once())
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("--shapes", default="1x16,1x128,8x128")
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    shapes = [tuple(map(int, it.split("x"))) for it in arguments.shapes.split(",")]

    print(f"torch {torch.__version__}, {arguments.device}\n")
    print("|  | " + " | ".join(f"{batch}×{tokens}" for batch, tokens in shapes) + " |")
    print("|---|" + "---:|" * len(shapes))
    for dtype in (torch.float32, torch.float16):
        model = NezhaForSequenceClassification.from_pretrained(arguments.checkpoint)
        model = model.to(arguments.device, dtype).eval()
        for name, way in [("eager", lambda it: it), ("compile", torch.compile)]:
            cells = []
            try:
                run = torch.inference_mode()(way(model))
                for batch, tokens in shapes:
                    ids = torch.randint(1000, 20000, (batch, tokens), device=arguments.device)
                    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
                    cells.append(f"{median_ms(run, inputs, arguments.device, arguments.seconds):.2f}")
            except Exception as error:  # noqa: BLE001: a way that fails is a row
                cells.append(f"{type(error).__name__}: {error}".splitlines()[0])
            print(f"| {name} {str(dtype).removeprefix('torch.')} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
