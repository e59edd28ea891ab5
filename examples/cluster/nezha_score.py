"""`nezha score` from Python: parts for schedulers, a column of answers for pipelines.

Needs the program `nezha` on PATH or in the variable NEZHA; a pipeline needs pyarrow too. Where the package nezha_onnx is
installed, a pipeline's model computes in its process. Else, and for parts, the program is a process of its own: it
holds no GIL, and a crash of an engine is an exit code.
"""

import os
import subprocess
import tempfile

try:
    import nezha_onnx
except ImportError:
    nezha_onnx = None

NEZHA = os.environ.get("NEZHA", "nezha")


def plan(inputs, output, model, *options):
    """Makes the plan, or takes the one that is there; the number of parts."""
    done = _run("plan", *map(str, inputs), "-o", str(output), "--model", str(model), *options)
    return int(done.stdout)


def score_part(output, number, *options):
    """Answers one part, unless it is done: may be run again, and by several at once. The part's number.

    The worker ends with this process, whatever ends it: it holds the other end of its standard input.
    """
    command = [NEZHA, "score", "part", str(output), "--parts", str(number), "--progress", "none", "--stop-with-stdin"]
    worker = subprocess.Popen(
        [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with worker:
        errors = worker.stderr.read()
        code = worker.wait()
    if code:
        raise RuntimeError(f"part {number}: exit code {code}: {errors}")
    return number


def finish(output):
    """Proves that every row is there once, and puts the parts together; what it says."""
    return _run("finish", str(output)).stdout


def _run(step, *arguments):
    done = subprocess.run([NEZHA, "score", step, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"nezha score {step}: exit code {done.returncode}: {done.stderr}")
    return done


def scorer(model, column="text", engine="auto", threads=1):
    """A model that gives Arrow batches and tables back with the answers behind their columns: in this process where
    nezha_onnx is installed, else in one of its own."""
    if nezha_onnx is not None:
        return nezha_onnx.Scorer(model, columns=[column], engine=engine, threads=threads)
    return Stream(model, column, engine, threads)


class Stream:
    """A model in a process of its own, asked through its standard input and output.

    A table goes out and comes back as Arrow batches of up to 8,192 rows, sorted by length inside.
    """

    ROWS = 8192

    def __init__(self, model, column, engine, threads):
        self.errors = tempfile.TemporaryFile(mode="w+")
        self.command = [NEZHA, "score", "--stream", "--model", str(model), "--column", column]
        self.command += ["--engine", engine, "--threads", str(threads)]
        self.worker = None

    def _start(self, schema):
        import pyarrow as pa

        self.worker = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors
        )
        self.writer = pa.ipc.new_stream(self.worker.stdin, schema)
        self.reader = None

    def _batch(self, batch):
        import pyarrow as pa

        try:
            if self.worker is None:
                self._start(batch.schema)
            self.writer.write_batch(batch)
            self.worker.stdin.flush()
            if self.reader is None:
                # pyarrow sends the schema with the first batch, and the answer begins with one.
                self.reader = pa.ipc.open_stream(self.worker.stdout)
            return self.reader.read_next_batch()
        except (OSError, StopIteration, ValueError) as error:
            self.worker.kill()
            self.worker.wait()
            self.errors.seek(0)
            raise RuntimeError(f"nezha score --stream: {self.errors.read()}") from error

    def __call__(self, rows):
        import pyarrow as pa

        if isinstance(rows, pa.RecordBatch):
            return self._batch(rows)
        batches = rows.combine_chunks().to_batches(max_chunksize=self.ROWS)
        return pa.Table.from_batches([self._batch(batch) for batch in batches])

    def close(self):
        """Ends the process."""
        if self.worker is not None:
            self.writer.close()
            self.worker.stdin.close()
            self.worker.wait()
            self.worker = None


def map_in_arrow(model, column="text", engine="auto", threads=1):
    """A function for Spark's `DataFrame.mapInArrow`: one model for each task."""

    def answered(batches):
        answering = scorer(model, column, engine, threads)
        for batch in batches:
            yield answering(batch)
        answering.close()

    return answered
