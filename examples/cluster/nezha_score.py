"""`nezha score` from Python: parts for schedulers, a stream for pipelines.

Needs the program `nezha` on PATH or in the variable NEZHA; Scorer needs pyarrow too. The program is a process of
its own, so it holds no GIL, and a crash of an engine is an exit code.
"""

import os
import subprocess
import tempfile

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


class Scorer:
    """A model in a process of its own: `scorer(table)` is the table with the answers behind its columns.

    Each table goes out and comes back as Arrow batches of up to 8,192 rows, sorted by length inside.
    """

    ROWS = 8192

    def __init__(self, model, column="text", *options):
        self.errors = tempfile.TemporaryFile(mode="w+")
        self.command = [NEZHA, "score", "--stream", "--model", str(model), "--column", column, *options]
        self.worker = None

    def _start(self, schema):
        import pyarrow as pa

        self.worker = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors
        )
        self.writer = pa.ipc.new_stream(self.worker.stdin, schema)
        self.reader = None

    def batch(self, batch):
        """One Arrow batch with its answers."""
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

    def __call__(self, table):
        import pyarrow as pa

        batches = table.combine_chunks().to_batches(max_chunksize=self.ROWS)
        return pa.Table.from_batches([self.batch(batch) for batch in batches])

    def close(self):
        """Ends the process."""
        if self.worker is not None:
            self.writer.close()
            self.worker.stdin.close()
            self.worker.wait()
            self.worker = None


def map_in_arrow(model, column="text", *options):
    """A function for Spark's `DataFrame.mapInArrow`: one process for each task."""

    def answered(batches):
        scorer = Scorer(model, column, *options)
        for batch in batches:
            yield scorer.batch(batch)
        scorer.close()

    return answered
