"""Runs the notebook from top to bottom and keeps what a reader wants to see of its outputs.

    python notebooks/execute.py

Takes about seven minutes on two processor cores. Native code's notes on the machine, all but the
last state of the progress bar, and second copies of pictures are left out.
"""

import os
import pathlib
import tempfile
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "cyclegan_walkthrough.ipynb"


def tidied(outputs: list[Any]) -> list[Any]:
    """Leaves out what tells a reader nothing."""
    kept: list[Any] = []
    last_bar = None
    for output in outputs:
        output.get("data", {}).pop("image/jpeg", None)
        if output.output_type == "stream" and output.name == "stderr":
            states = [
                line for line in output.text.replace("\r", "\n").split("\n") if "step" in line
            ]
            if states:
                last_bar = {**output, "text": states[-1] + "\n"}
        else:
            kept.append(output)
    return kept if last_bar is None else [*kept, nbformat.from_dict(last_bar)]


def main() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        client = NotebookClient(notebook, timeout=3600, kernel_name="python3", resources=resources)
        client.execute(env=env)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = tidied(cell.outputs)
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    main()
