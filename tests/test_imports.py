"""Imports run one way, and the public names are listed once."""

import ast
import pathlib
import pkgutil

import cyclegan_keras

ROOT = pathlib.Path(cyclegan_keras.__file__).parent
# The lowest first. What stands in one line does not import each other.
ORDER = (
    ("_backend", "_extras", "_files", "_quiet", "_seeds", "_text"),
    ("_registration",),
    ("config", "cluster", "replicas"),
    ("losses", "optimizers", "layers"),
    ("networks", "data", "network_drawing"),
    ("inference",),
    ("export",),
    ("serving",),
    ("plotting",),
    ("metrics",),
    ("convert",),
    ("training",),
    ("models",),
    ("runs",),
    ("reports",),
    ("study", "launching"),
    ("cli",),
)
LEVELS = {name: level for level, names in enumerate(ORDER) for name in names}


def imported(path: pathlib.Path) -> set[str]:
    """The package's parts that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, module = node.module.partition(".")
            names = [module] if module else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            package, names = (
                "cyclegan_keras",
                [
                    alias.name.removeprefix("cyclegan_keras.")
                    for alias in node.names
                    if alias.name.startswith("cyclegan_keras.")
                ],
            )
        else:
            continue
        if package == "cyclegan_keras":
            found |= {name.split(".")[0] for name in names}
    return found & LEVELS.keys()


def test_every_part_has_its_level():
    parts = {module.name for module in pkgutil.iter_modules([str(ROOT)])} - {"__main__"}
    assert parts == LEVELS.keys()


def test_imports_run_one_way():
    wrong = []
    for path in ROOT.rglob("*.py"):
        part = path.relative_to(ROOT).with_suffix("").parts[0]
        if part in LEVELS:
            allowed = [
                name for name in imported(path) if name == part or LEVELS[name] < LEVELS[part]
            ]
            wrong += [f"{path.relative_to(ROOT)}: {name}" for name in imported(path) - {*allowed}]
    assert wrong == []


def test_a_name_that_is_public_is_listed_and_one_that_is_listed_is_there():
    submodules = {module.name for module in pkgutil.iter_modules([str(ROOT)])}
    public = {name for name in vars(cyclegan_keras) if not name.startswith("_")}
    assert public - submodules - {"lazy_loader"} <= {*cyclegan_keras.__all__}
    for name in cyclegan_keras.__all__:
        assert getattr(cyclegan_keras, name).__name__ == name


def test_contributing_shows_the_order():
    page = (ROOT.parent / "CONTRIBUTING.md").read_text("utf-8")
    shown = page.split("```text\n")[1].split("```")[0]
    assert [tuple(line.split()) for line in shown.splitlines()] == [*ORDER]
