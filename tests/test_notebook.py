"""The notebook runs from top to bottom, and defines nothing of its own."""

import ast
import os
import pathlib

import nbformat
import pytest
from nbclient import NotebookClient

from cyclegan_keras.training import callbacks

pytestmark = pytest.mark.integration

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


def python_of(cell):
    """Without `%matplotlib inline`, which is Jupyter's, and no Python."""
    return "\n".join(line for line in cell.source.split("\n") if not line.startswith("%"))


@pytest.fixture
def small(notebook, fruit_dir, tmp_path):
    """The notebook at a small size, in a folder with the data set."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "fruit").symlink_to(fruit_dir)
    parameters = next(c for c in code_of(notebook) if "parameters" in c.metadata.get("tags", []))
    parameters.source = SMALL
    return notebook


# TensorFlow says so where `predict` makes a data set.
@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly")
def test_its_code_runs_at_a_small_size(small, tmp_path, monkeypatch, capsys, untraced):
    """In this process, without a kernel to show pictures."""
    shown, namespace = [], {}
    monkeypatch.setattr(callbacks, "shows_samples", lambda: lambda *grid: shown.append(grid))
    monkeypatch.chdir(tmp_path)
    for number, cell in enumerate(code_of(small)):
        exec(compile(python_of(cell), f"cell {number}", "exec"), namespace)
    text = capsys.readouterr().out
    assert "bit-identical: True" in text
    assert "untranslated" in text
    assert len(shown) == 3  # Six steps, each second one.


@pytest.mark.slow
def test_it_runs_in_a_kernel(small, tmp_path, monkeypatch):
    notebook = small
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
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
    tree = ast.parse("\n".join(map(python_of, code_of(notebook))))
    assert not [node for node in ast.walk(tree) if isinstance(node, definitions)]
