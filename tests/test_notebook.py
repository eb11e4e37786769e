"""The notebook runs from top to bottom, and defines nothing of its own."""

import ast
import os
import pathlib

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = pathlib.Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "cyclegan_walkthrough.ipynb"
SMALL = "IMAGE_SIZE, EPOCHS, SAMPLE_INTERVAL, GF, DF = 32, 1, 2, 2, 2"
# A few steps take less time than tracing one.
UNTRACED = "\nimport tensorflow\ntensorflow.config.run_functions_eagerly(True)"


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_it_runs_at_a_small_size(notebook, fruit_dir, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "fruit").symlink_to(fruit_dir)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    parameters = next(c for c in code_of(notebook) if "parameters" in c.metadata.get("tags", []))
    parameters.source = SMALL
    imports = next(c for c in code_of(notebook) if "import CycleGAN" in c.source)
    imports.source += UNTRACED
    # The small set has what is asked for at most: six training images, four test scenes.
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute(env={**os.environ})
    text = "".join(o.get("text", "") for c in code_of(notebook) for o in c.outputs)
    assert "bit-identical: True" in text
    assert "untranslated" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_it_is_committed_with_outputs(notebook):
    cells = code_of(notebook)
    counts = [cell.execution_count for cell in cells]
    assert counts == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert len([o for o in outputs if "image/png" in o.get("data", {})]) >= 6
    assert "bit-identical: True" in "".join(o.get("text", "") for o in outputs)


def test_it_defines_nothing_of_its_own(notebook):
    definitions = (ast.FunctionDef, ast.ClassDef, ast.Lambda)
    # `%matplotlib inline` is Jupyter's, not Python's.
    lines = [line for cell in code_of(notebook) for line in cell.source.split("\n")]
    tree = ast.parse("\n".join(line for line in lines if not line.startswith("%")))
    assert not [node for node in ast.walk(tree) if isinstance(node, definitions)]
