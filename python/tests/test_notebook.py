"""The notebook of the examples runs from top to bottom, and shows its pictures and tables inline."""

import nbformat
from conftest import ROOT
from nbclient import NotebookClient


def test_the_notebook_runs_and_shows_picture_and_tables():
    book = nbformat.read(ROOT / "examples" / "python.ipynb", as_version=4)
    NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    kinds = [set(output.get("data", {})) for cell in book.cells for output in cell.get("outputs", [])]
    assert sum("image/svg+xml" in it for it in kinds) == 1
    assert sum("text/html" in it for it in kinds) == 2
    [answers] = [it for it in texts(book) if "positive" in it]
    assert "negative" in answers


def texts(book):
    """What the cells give as plain text."""
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    return [it["data"]["text/plain"] for it in outputs if "data" in it]
