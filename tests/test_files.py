import os

import pytest

from cyclegan_keras import files


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "first")

    def half_way():
        with files.written_whole(path) as partial:
            partial.write_text("half")
            assert partial.suffix == ".txt"
            assert path.read_text() == "first"
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        half_way()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "first"
    with files.written_whole(path) as partial:
        partial.write_text("second")
    assert path.read_text() == "second"


def test_only_what_was_half_written_is_removed(tmp_path):
    for name in (".a.123.txt", ".hidden.txt", "b.1.txt", ".c.99"):
        (tmp_path / name).touch()
    (tmp_path / ".d.7.txt").mkdir()
    files.remove_partial(tmp_path)
    files.remove_partial(tmp_path / "nowhere")
    left = sorted(p.name for p in tmp_path.iterdir())
    assert left == [".c.99", ".d.7.txt", ".hidden.txt", "b.1.txt"]


@pytest.mark.parametrize(
    "name",
    ["x" * 250 + ".png", "x" * 255, "ü" * 125 + ".txt", "🍎" * 62 + ".jpg", "a." + "b" * 253],
)
def test_a_name_may_be_as_long_as_any_file_has(name, tmp_path):
    others = []
    with files.written_whole(tmp_path / name) as partial:
        partial.write_text("whole")
        others = [entry.name for entry in tmp_path.iterdir()]
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    assert len(others) == 1
    assert others[0].startswith(".")
    (tmp_path / others[0]).touch()  # As if killed before the end.
    files.remove_partial(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_long_names_that_begin_alike_are_written_side_by_side(tmp_path):
    names = [f"{'x' * 249}{end}.png" for end in "ab"]
    with files.written_whole(tmp_path / names[0]) as one:
        one.write_text("a")
        with files.written_whole(tmp_path / names[1]) as other:
            assert other.suffix == ".png"
            other.write_text("b")
    assert [(tmp_path / name).read_text() for name in names] == ["a", "b"]
    assert len(os.listdir(tmp_path)) == 2
