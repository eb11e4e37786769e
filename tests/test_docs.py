"""What README and documentation say is true: their code runs, their flags and tests are there.

Fenced blocks of `python` run, page by page, in order and in one namespace; what is only quoted is
`text`. A comment before a block makes it small enough for a test, by replacing text:

    <!-- in tests: `(128, 128)` is `(32, 32)`; `epochs=100` is `epochs=1` -->

Blocks of `sh` are not run, but their lines are parsed as the command line would.
"""

import ast
import contextlib
import importlib
import io
import pathlib
import re
import runpy
import shlex
import shutil
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import cyclegan_keras
from cyclegan_keras import build_unet_generator
from cyclegan_keras.cli import main as cli
from cyclegan_keras.cli import train
from cyclegan_keras.config.known import known_settings
from cyclegan_keras.data.beads.sets import write_beads
from cyclegan_keras.data.fruit.sets import write_fruit
from cyclegan_keras.reports import metric_table

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"(?:<!-- in tests: (?P<small>.*?) -->\n)?^```python\n(?P<code>.*?)^```$", re.S | re.M
)
REPLACED = re.compile(r"`([^`]+)` is `([^`]+)`")
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.S | re.M)
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
FLAG = re.compile(r"(?<![\w-])--[a-z][\w-]*")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[\w-]*)?\)")
# Of other programs: sha256sum, curl, pix2pix, tensorboard, srun.
OTHERS = {"--check", "--data-binary", "--eval", "--logdir", "--nodes", "--ntasks-per-node"}


def of(pages, pattern):
    return [page for page in pages if pattern.search(page.read_text("utf-8"))]


def by_name(pages):
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.name)


@pytest.fixture(scope="module")
def two_images(tmp_path_factory):
    """A data set of two images a folder: an epoch is two steps at most."""
    return write_fruit(tmp_path_factory.mktemp("data") / "fruit", num_train=2, num_test=2, size=32)


def write_video(path):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", 25, width=32, height=32)
        for level in (0, 99):
            image = np.full((32, 32, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode())


@pytest.fixture
def place(tmp_path, monkeypatch, two_images):
    """A folder with all the files that examples speak of, which are few and small."""
    for name in ("data/fruit", "data/apple2orange", "my/pictures"):
        shutil.copytree(two_images, tmp_path / name)
    write_beads(tmp_path / "data" / "small_beads", num_train=2, num_test=1)
    Image.new("RGB", (40, 30), "green").save(tmp_path / "apple.jpg")
    with contextlib.suppress(ImportError):  # Pages on videos need PyAV, and skip without it.
        write_video(tmp_path / "walk.mp4")
    build_unet_generator((32, 32, 3), gf=2).save(tmp_path / "g_AB.keras")
    monkeypatch.chdir(tmp_path)
    # What is traced elsewhere is only run here, which is quicker for a step or two.
    tf.config.run_functions_eagerly(True)
    yield tmp_path
    tf.config.run_functions_eagerly(False)


# TensorFlow says so where `predict` makes a data set.
@pytest.mark.integration
@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly")
@by_name(of(PAGES, BLOCK))
def test_code_runs(page, place, monkeypatch, capsys):
    if page.name == "video.md":
        pytest.importorskip("av", reason="videos need PyAV")
    # Pickling and registering look a class up in its module.
    module = types.ModuleType(f"page_{page.stem}")
    monkeypatch.setitem(importlib.sys.modules, module.__name__, module)
    text = page.read_text("utf-8")
    for block in BLOCK.finditer(text):
        code = block["code"]
        for before, after in REPLACED.findall(block["small"] or ""):
            assert before in code, f"{page.name}: {before!r} is not in the block that follows"
            code = code.replace(before, after)
        # So that a traceback has the page's own lines.
        line = text.count("\n", 0, block.start("code"))
        exec(compile("\n" * line + code, str(page), "exec"), module.__dict__)


@by_name(of(PAGES, SHELL))
def test_commands_are_understood(page, monkeypatch):
    understood = []

    def take(arguments):
        # Settings are checked, too, unless they are in files, which are not there.
        if not getattr(arguments, "resume", True) and arguments.config is None:
            train.config_from(arguments)
        understood.append(arguments)
        return 0

    for verb in cli.VERBS:
        monkeypatch.setattr(importlib.import_module(f"cyclegan_keras.cli.{verb}"), "run", take)
    count = 0
    for block in SHELL.findall(page.read_text("utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["cyclegan"] or words[:2] == ["python", "train.py"]:
                argv = words[1:] if words[0] == "cyclegan" else ["train", *words[2:]]
                count += 1
                try:
                    assert cli.main(argv) == 0
                except SystemExit:
                    pytest.fail(f"{page.name}: {line}")
    assert len(understood) == count


@pytest.fixture(scope="module")
def known_flags():
    """All flags that the command line shows, and those of benchmarks, fuzzers and measurements."""
    found = set(OTHERS)
    actions = [["data", "list"], ["data", "fetch"], ["study", "make"], ["study", "score"]]
    for words in [[verb] for verb in cli.VERBS] + actions:
        with contextlib.redirect_stdout(io.StringIO()) as page, pytest.raises(SystemExit):
            cli.main([*words, "--help"])
        found |= set(FLAG.findall(page.getvalue()))
    programs = ["benchmarks/*.py", "fuzz/*.py", "tests/models/replicas_apart.py"]
    for path in [path for program in programs for path in ROOT.glob(program)]:
        found |= set(re.findall(r"add_argument\(\s*\"(--[\w-]+)\"", path.read_text("utf-8")))
    return found


@by_name(PAGES)
def test_flags_are_there(page, known_flags):
    code = re.findall(r"```.*?```|`[^`]+`", page.read_text("utf-8"), re.S)
    named = {flag for span in code for flag in FLAG.findall(span)}
    assert named <= known_flags | {"--no-" + flag[2:] for flag in known_flags}


@by_name(of(PAGES, NAMED))
def test_the_tests_that_a_page_names_are_there(page):
    for path, name in set(NAMED.findall(page.read_text("utf-8"))):
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert not name or name in tests, f"{page.name} names {path}::{name}"


def test_links_of_the_readme_lead_somewhere():
    # Those between pages of the site, MkDocs checks.
    links = LINK.findall((ROOT / "README.md").read_text("utf-8"))
    assert len(links) > 8
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_api_page_has_every_public_name():
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    shown = re.findall(r"^::: cyclegan_keras\.(?:\w+\.)*(\w+)$", page, re.M)
    assert set(cyclegan_keras.__all__) <= set(shown)


def test_the_page_of_metrics_has_every_key():
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    # Of metrics for several levels of noise, the page names one.
    level = re.compile(r"(?<=noisy_cycle_)[\d.]+")
    keys = [
        {level.sub("1", metric.name(way)) for way in ("AB", "BA")}
        for kind in metric_table.KINDS
        for metric in kind.metrics
    ]
    assert len(keys) > 25
    assert [each for each in keys if not any(f"`{key}`" in page for key in each)] == []


@pytest.fixture(scope="module")
def hooks():
    return types.SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "hooks.py")))


def test_the_table_of_flags_has_every_setting(hooks):
    page = hooks.on_page_markdown("before <!-- flags of train --> after")
    assert page.startswith("before ")
    assert page.endswith(" after")
    flags = [each.flag for each in known_settings().values() if each.flag is not None]
    assert len(flags) > 50
    assert [flag for flag in flags if f"`{flag}`" not in page] == []
    assert "--d-shift" not in page
    assert re.search(r"^\| `--epochs` `N` ↻ \| 8 \|", page, re.M)
    assert re.search(r"^\| `--flip`, `--no-flip` \| on \|", page, re.M)
    assert re.search(r"^\| `--norm` \| pixel \|.*`instance`", page, re.M)


def test_the_table_of_recipes_has_their_values(hooks):
    page = hooks.on_page_markdown("<!-- recipes -->")
    assert "| `--lambda-id` | 9 | 5 | 0 | – |" in page
    assert "| `--blended-output` | off | off | on | off |" in page
    assert "--seed" not in page


def test_a_page_that_fetches_something_is_told(hooks, caplog):
    page = types.SimpleNamespace(file=types.SimpleNamespace(src_uri="a.md"))
    here = '<a href="https://example.org">see</a><script src="assets/a.js"></script>'
    assert hooks.on_post_page(here, page) == here
    assert not caplog.records
    hooks.on_post_page('<script async src="https://example.org/a.js"></script>', page)
    assert "a.md fetches something" in caplog.text
