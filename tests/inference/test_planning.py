import os

import pytest
from PIL import Image

from cyclegan_keras.inference.planning import left_out, plan


@pytest.fixture
def pictures(tmp_path):
    """Makes pictures in a folder `in`, by their names in it."""

    def make(*names):
        for name in names:
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 2)).save(path, "PNG")
        return tmp_path / "in"

    return make


@pytest.fixture
def targets(tmp_path):
    def of(jobs):
        return [str(target.relative_to(tmp_path / "out")) for _, target in jobs]

    return of


def test_names_are_kept_and_so_are_folders(pictures, targets, tmp_path):
    folder = pictures(
        "a.jpg", "a.png", "B.JPG", "sub/a.jpg", "sub/deep/c.webp", ".hid.png", ".h/x.png"
    )
    jobs = plan([folder], tmp_path / "out")
    names = ["B.JPG", "a.jpg", "a.png", "sub/a.jpg", "sub/deep/c.webp"]
    assert targets(jobs) == names
    assert [source for source, _ in jobs] == [folder / name for name in names]
    assert targets(plan([folder / "a.jpg"] * 2, tmp_path / "out")) == ["a.jpg"]


def test_what_cannot_be_written_as_it_was_becomes_a_png(pictures, targets, tmp_path):
    folder = pictures("x", "y.dat")
    jobs = plan([folder / "x", folder / "y.dat"], tmp_path / "out")
    assert targets(jobs) == ["x.png", "y.dat.png"]


def test_a_format_changes_suffixes_and_keeps_names_apart(pictures, targets, tmp_path):
    folder = pictures("a.jpg", "a.png", "b.jpeg", "b.webp", "c.gif", "d.PNG")
    jobs = plan([folder], tmp_path / "out", file_format="png")
    expected = ["a.jpg.png", "a.png", "b.jpeg.png", "b.webp.png", "c.png", "d.PNG"]
    assert targets(jobs) == expected
    pictures("a.jpg.png")
    with pytest.raises(ValueError, match=r"would both become .*a\.jpg\.png"):
        plan([folder], tmp_path / "out", file_format="png")
    with pytest.raises(ValueError, match=r"`file_format` must be one of png, jpg.*'exr'"):
        plan([folder], tmp_path / "out", file_format="exr")


def test_two_folders_with_one_name_are_refused(pictures, tmp_path):
    folder = pictures("one/x.png", "two/x.png")
    with pytest.raises(ValueError, match=r"one/x\.png' and .*two/x\.png' would both become"):
        plan([folder / "one", folder / "two"], tmp_path / "out")


def test_nothing_is_overwritten_unasked(pictures, tmp_path):
    folder = pictures("x.jpg", "y.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x.jpg").touch()
    with pytest.raises(FileExistsError, match=r"out/x\.jpg.*--skip-existing.*--overwrite"):
        plan([folder], tmp_path / "out")
    assert len(plan([folder], tmp_path / "out", overwrite=True)) == 2
    left = plan([folder], tmp_path / "out", skip_existing=True)
    assert left == [(folder / "y.jpg", tmp_path / "out" / "y.jpg")]
    with pytest.raises(ValueError, match="either `overwrite` or `skip_existing`"):
        plan([folder], tmp_path / "out", overwrite=True, skip_existing=True)


@pytest.mark.parametrize("how", [{}, {"overwrite": True}, {"skip_existing": True}])
def test_a_source_is_never_replaced(how, pictures, tmp_path):
    folder = pictures("x.png", "y.png")
    with pytest.raises(ValueError, match=r"x\.png' would replace it"):
        plan([folder], folder, **how)
    with pytest.raises(ValueError, match=r"x\.png' would replace it"):
        plan([folder / "x.png"], folder / "x.png", **how)
    (tmp_path / "out").mkdir()
    os.link(folder / "y.png", tmp_path / "out" / "x.png")
    with pytest.raises(ValueError, match=r"x\.png' would replace '.*y\.png'"):
        plan([folder], tmp_path / "out", **how)


def test_translations_among_the_sources_are_not_translated_again(pictures):
    folder = pictures("x.png")
    first = plan([folder], folder / "out")
    pictures("out/x.png")
    again = plan([folder], folder / "out", overwrite=True)
    assert again == first == [(folder / "x.png", folder / "out" / "x.png")]


def test_pictures_are_known_as_in_training_and_what_is_none_is_counted(pictures, targets, tmp_path):
    folder = pictures("x.png", "no_suffix", "sub/y.png", "out/x.png")
    for name in ("a.heic", "sub/b.HEIC", "c.bin", "labels.txt", ".hidden.heic"):
        (folder / name).write_bytes(b"none")
    (folder / "sub" / "back").symlink_to(folder)
    names = ["no_suffix.png", "sub/y.png", "x.png"]
    assert targets(plan([folder], tmp_path / "out")) == ["no_suffix.png", "out/x.png", *names[1:]]
    jobs = plan([folder], folder / "out", overwrite=True)
    assert [str(target.relative_to(folder / "out")) for _, target in jobs] == names
    place = f" in {str(folder)!r}"
    assert left_out([folder, folder, folder / "x.png"], folder / "out") == [
        f"2 .heic (HEIC: convert it, with pillow-heif for one), such as 'a.heic'{place}",
        f"1 folder read already, by another link, such as 'back'{place}",
        f"1 other file, such as 'c.bin'{place}",
    ]


def test_links_that_lead_in_circles_end(pictures, targets, tmp_path):
    folder = pictures("sub/x.png")
    (folder / "sub" / "back").symlink_to(folder)
    assert targets(plan([folder], tmp_path / "out"))[:1] == ["sub/x.png"]


def test_a_file_is_for_one_image(pictures, tmp_path):
    folder = pictures("x.jpg", "y.jpg")
    target = tmp_path / "o" / "t.png"
    for unwritten in ("t.heic", "t.j2c", "t.PPM"):
        with pytest.raises(ValueError, match=r"Cannot write .*the suffix must be one of"):
            plan([folder / "x.jpg"], tmp_path / "o" / unwritten)
    assert plan([folder / "x.jpg"], target) == [(folder / "x.jpg", target)]
    assert plan([folder / "x.jpg"], target, file_format="png") == [(folder / "x.jpg", target)]
    assert not target.parent.exists()
    with pytest.raises(ValueError, match=r"t\.png' is a file for one image.*Received: 2 images"):
        plan([folder], target)
    with pytest.raises(ValueError, match="another format than --format jpg"):
        plan([folder / "x.jpg"], target, file_format="jpg")
    # A folder may be called as it likes, if it is there or a slash says so.
    assert plan([folder], f"{target}/")[0][1] == target / "x.jpg"
    target.mkdir(parents=True)
    assert plan([folder], target)[0][1] == target / "x.jpg"


def test_what_is_no_image_is_told_before_anything_is_done(pictures, tmp_path):
    folder = pictures("x.png", "y.png")
    (folder / "y.png").write_text("no image")
    with pytest.raises(ValueError, match=r"Cannot read the image '.*y\.png'"):
        plan([folder], tmp_path / "out")
    assert len(plan([folder], tmp_path / "out", check=False)) == 2
    with pytest.raises(FileNotFoundError, match=r"No image or folder .*nowhere"):
        plan([tmp_path / "nowhere"], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="No images in"):
        plan([tmp_path / "empty"], tmp_path / "out")


def test_where_nothing_can_be_written_is_told(pictures, tmp_path, monkeypatch):
    folder = pictures("x.png")
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match=r"'.*file' is a file"):
        plan([folder], tmp_path / "file" / "out")
    monkeypatch.setattr(os, "access", lambda place, mode: False)  # Root may write anywhere.
    with pytest.raises(PermissionError, match="Cannot write into"):
        plan([folder], tmp_path / "out")


def test_a_name_that_becomes_too_long_is_told(pictures, tmp_path):
    folder = pictures("x" * 250 + ".jpg")
    assert len(plan([folder], tmp_path / "out")) == 1
    with pytest.raises(ValueError, match="too long"):
        plan([pictures("x" * 255) / ("x" * 255)], tmp_path / "out")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.png", ["a.png"]),
        ("**/*.png", ["a.png", "x/b.png", "x/y/c.png"]),
        ("**", ["a.png", "x/b.png", "x/d.jpg", "x/y/c.png"]),
        ("x*", ["x/b.png", "x/d.jpg", "x/y/c.png"]),
        ("*/[bd].*", ["x/b.png", "x/d.jpg"]),
        ("x/?.jpg", ["d.jpg"]),
    ],
)
def test_a_pattern_is_expanded_and_folders_are_kept(pattern, names, pictures):
    folder = pictures("a.png", "x/b.png", "x/d.jpg", "x/y/c.png", "out/e.png")
    (folder / "x" / "notes.txt").write_text("no image")
    jobs = plan([str(folder / pattern)], folder / "out", overwrite=True)
    assert [str(target.relative_to(folder / "out")) for _, target in jobs] == names


def test_a_file_whose_name_looks_like_a_pattern_is_itself(pictures, targets, tmp_path):
    folder = pictures("a[1].png", "a1.png")
    jobs = plan([str(folder / "a[1].png")], tmp_path / "out")
    assert targets(jobs) == ["a[1].png"]
    with pytest.raises(FileNotFoundError, match=r"matches.*b\[1\]\.png"):
        plan([str(folder / "b[1].png")], tmp_path / "out")
