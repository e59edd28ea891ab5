"""pyarrow, DuckDB and Polars: `nezha score` reads what they write, and they read what it writes."""

import subprocess

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from common import NEZHA, OPTIONS, PART_ROWS, Scene

scene = Scene()
model, scratch, rows, expected = scene.model, scene.scratch, scene.rows, scene.expected
# Enough for several row groups, and whole parts: the rows of a window are those of the one process.
ROWS = 1024
table = pq.read_table(rows).slice(0, ROWS)
database = duckdb.connect()
database.register("reviews", table)
frame = pl.from_arrow(table)


def duck(name, options):
    database.execute(f"COPY reviews TO '{scratch / name}' ({options})")


WRITERS = {
    "pyarrow-snappy.parquet": lambda path: pq.write_table(table, path),
    "pyarrow-zstd-v1.parquet": lambda path: pq.write_table(table, path, compression="zstd", version="1.0"),
    "pyarrow-gzip-groups.parquet": lambda path: pq.write_table(table, path, compression="gzip", row_group_size=100),
    "pyarrow-plain-v2.parquet": lambda path: pq.write_table(
        table, path, compression="none", use_dictionary=False, data_page_version="2.0"
    ),
    "pyarrow-dictionary.parquet": lambda path: pq.write_table(
        table.set_column(1, "text", table["text"].dictionary_encode()), path
    ),
    "pyarrow-large.parquet": lambda path: pq.write_table(
        table.set_column(1, "text", table["text"].cast(pa.large_string())), path
    ),
    "pyarrow.csv": lambda path: pa_csv.write_csv(table, path),
    "duckdb.parquet": lambda path: duck(path.name, "FORMAT parquet"),
    "duckdb-zstd.parquet": lambda path: duck(path.name, "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048"),
    "duckdb.csv": lambda path: duck(path.name, "FORMAT csv, HEADER"),
    "duckdb.jsonl": lambda path: duck(path.name, "FORMAT json"),
    "polars.parquet": lambda path: frame.write_parquet(path),
    "polars-snappy.parquet": lambda path: frame.write_parquet(path, compression="snappy", row_group_size=77),
    "polars.csv": lambda path: frame.write_csv(path),
    "polars.jsonl": lambda path: frame.write_ndjson(path),
}
READERS = {
    "parquet": [
        ("pyarrow", lambda path: pq.read_table(path).to_pylist()),
        ("duckdb", lambda path: duckdb.sql(f"SELECT * FROM '{path}'").to_arrow_table().to_pylist()),
        ("polars", lambda path: pl.read_parquet(path).to_dicts()),
    ],
    "csv": [
        ("pyarrow", lambda path: pa_csv.read_csv(path).to_pylist()),
        ("duckdb", lambda path: duckdb.sql(f"SELECT * FROM read_csv('{path}')").to_arrow_table().to_pylist()),
        ("polars", lambda path: pl.read_csv(path).to_dicts()),
    ],
    "jsonl": [
        ("duckdb", lambda path: duckdb.sql(f"SELECT * FROM read_json('{path}')").to_arrow_table().to_pylist()),
        ("polars", lambda path: pl.read_ndjson(path).to_dicts()),
    ],
}
answers = list(zip(expected["id"].to_pylist(), expected["label"].to_pylist(), expected["score"].to_pylist()))
failures = []
for name, write in WRITERS.items():
    source = scratch / name
    write(source)
    for ending, readers in READERS.items():
        output = scratch / f"{name}-scored.{ending}"
        command = [NEZHA, "score", source, "-o", output, "--model", model, *OPTIONS, *PART_ROWS]
        command += ["--progress", "none"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            failures.append(f"{output.name}: {done.stderr}")
            continue
        for reader, read in readers:
            found = read(output)
            ids = [int(row["id"]) for row in found]
            same = ids == list(range(ROWS)) and all(
                (row["label"] or None) == label
                and (row["score"] == score or abs(float(row["score"]) - score) < 1e-6)
                for row, (_, label, score) in zip(found, answers)
            )
            if not same:
                failures.append(f"{output.name} read by {reader}: {len(ids)} rows, not the answers of one process")
for failure in failures:
    print(failure)
if failures:
    raise SystemExit(1)
versions = f"pyarrow {pa.__version__}, DuckDB {duckdb.__version__}, Polars {pl.__version__}"
print(f"{len(WRITERS)} files of {versions} read, {len(WRITERS) * len(READERS)} of ours read by them")
