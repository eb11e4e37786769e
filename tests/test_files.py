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
