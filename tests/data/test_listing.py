import os

import pytest
from PIL import Image

from cyclegan_keras.data import formats, listing


@pytest.fixture
def put(tmp_path):
    def picture(*names: str):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 4)).save(path, "PNG")
        return tmp_path

    return picture


def names(found: listing.Listing, folder) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in found.paths]


def test_folders_in_a_folder_are_looked_into(put):
    folder = put("b.png", "a.png", "c/d/x.png", "c/a.JPG", "Z.PNG")
    expected = ["Z.PNG", "a.png", "b.png", "c/a.JPG", "c/d/x.png"]
    assert names(listing.listed(folder), folder) == expected
    assert names(listing.listed(folder, recursive=False), folder) == ["Z.PNG", "a.png", "b.png"]


def test_what_systems_leave_behind_is_no_data(put):
    folder = put("a.png", ".hidden.png", "__MACOSX/a.png", "@eaDir/a.png", ".git/a.png", "._a.png")
    for name in ("Thumbs.db", "desktop.ini", "labels.txt", "dataset.json"):
        (folder / name).write_bytes(b"x")
    found = listing.listed(folder)
    assert names(found, folder) == ["a.png"]
    assert found.in_words() == []


def test_what_is_not_read_is_counted_and_named(put):
    folder = put("a.png")
    for name in ("1.heic", "2.HEIC", "x.dcm", "x.nii.gz", "notes.docx", "nothing"):
        (folder / name).write_bytes(b"x")
    said = "; ".join(listing.listed(folder).in_words())
    for part in (
        "2 .heic (HEIC: convert it, with pillow-heif for one), such as '1.heic'",
        "1 .dcm (DICOM",
        "1 .nii (a volume",
        "2 other files, such as 'notes.docx'",
    ):
        assert part in said


def test_a_picture_is_a_picture_whatever_it_is_called(put):
    folder = put("photo", "x.jpeg_large", "y.heic")
    (folder / "w").write_bytes(b"RIFF1234WAVE")
    os.mkfifo(folder / "pipe")  # Whoever opens it would wait for ever.
    found = listing.listed(folder)
    assert names(found, folder) == ["photo", "x.jpeg_large"]
    assert [count for count, _ in found.left_out.values()] == [1, 2]


@pytest.mark.parametrize("suffix", ".jfif .jpe .avif .jp2 .j2k .tif .apng .mpo .JPG".split())
def test_suffixes_of_real_formats(suffix, put):
    folder = put(f"x{suffix}")
    assert names(listing.listed(folder), folder) == [f"x{suffix}"]
    assert not formats.SUFFIXES & formats.UNREADABLE.keys()


def test_links_in_circles_end(put):
    folder = put("a/x.png", "b/y.png")
    (folder / "a" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "c").symlink_to(folder / "b", target_is_directory=True)
    found = listing.listed(folder)
    assert names(found, folder) == ["a/x.png", "b/y.png"]
    assert found.in_words() == ["2 folders read already, by another link, such as 'up'"]


def test_an_empty_folder_says_what_is_there(tmp_path):
    (tmp_path / "x.heic").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"No images in .*not read: 1 \.heic \(HEIC"):
        listing.some(listing.listed(tmp_path), tmp_path)


def test_only_images_are_listed_and_sorted(tmp_path):
    for name in ("b.PNG", "a.jpeg", "notes.txt", ".hidden.png", "Thumbs.db"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert names(listing.listed(tmp_path), tmp_path) == ["a.jpeg", "b.PNG"]


def test_empty_and_missing_folders_are_named(tmp_path):
    with pytest.raises(ValueError, match=rf"No images in '{tmp_path}'.*\.png"):
        listing.some(listing.listed(tmp_path), tmp_path)
    with pytest.raises(FileNotFoundError, match=r"No folder .*nowhere"):
        listing.listed(tmp_path / "nowhere")
