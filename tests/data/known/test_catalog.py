import csv
import dataclasses
import functools
import hashlib
import http.server
import io
import re
import threading
import zipfile

import numpy as np
import pytest

from cyclegan_keras.data.known import catalog, fetch, unpack

RNG = np.random.default_rng(0)
GOOD = {f"tiny/{folder}/{i}.jpg": RNG.bytes(500) for folder in catalog.FOLDERS for i in range(3)}


def zip_of(entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


ARCHIVE = zip_of(GOOD)


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        super().do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serves the files in the folder `served`."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "served").mkdir()
    handler = functools.partial(Handler, directory=tmp_path / "served")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.requests = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def tiny(server, tmp_path):
    """A set that can be fetched from the server."""
    (tmp_path / "served" / "tiny.zip").write_bytes(ARCHIVE)
    return catalog.KnownDataset(
        name="tiny",
        domains=("noise", "more noise"),
        url=f"http://127.0.0.1:{server.server_port}/tiny.zip",
        num_bytes=len(ARCHIVE),
        sha256=hashlib.sha256(ARCHIVE).hexdigest(),
    )


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "my" / "data"


def files_in(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_the_eleven_official_sets():
    names = (
        "apple2orange cezanne2photo cityscapes facades horse2zebra iphone2dslr_flower maps "
        "monet2photo summer2winter_yosemite ukiyoe2photo vangogh2photo"
    )
    assert " ".join(catalog.DATASETS) == names
    for name, dataset in catalog.DATASETS.items():
        assert dataset.name == name
        assert dataset.url.startswith("https://")
        assert dataset.url.endswith(f"/{name}.zip")
        assert re.fullmatch("[0-9a-f]{64}", dataset.sha256)
        assert all(dataset.domains)
    sizes = [dataset.num_bytes for dataset in catalog.DATASETS.values()]
    assert (min(sizes), max(sizes), sum(sizes)) == (35_135_868, 1_476_754_427, 3_644_074_607)
    assert len({dataset.sha256 for dataset in catalog.DATASETS.values()}) == 11


def test_they_are_as_they_were_recorded(real_images):
    with (real_images / "official.tsv").open() as file:
        recorded = [tuple(row.values()) for row in csv.DictReader(file, delimiter="\t")]
    assert recorded == [
        (dataset.name, dataset.url, str(dataset.num_bytes), dataset.sha256)
        for dataset in catalog.DATASETS.values()
    ]


def test_fetch(tiny, server, data_dir):
    assert catalog.state(tiny, data_dir) == "absent"
    assert catalog.fetch(tiny, data_dir) == data_dir / "tiny"
    assert files_in(data_dir) == GOOD
    assert catalog.state(tiny, data_dir) == "complete"
    # What is there needs no lock, as on a disk that may only be read.
    with fetch.locked(data_dir / ".tiny.lock"):
        assert catalog.fetch(tiny, data_dir) == data_dir / "tiny"
    assert server.requests == ["/tiny.zip"]
    assert files_in(data_dir) == GOOD


def test_an_empty_folder_is_no_obstacle(tiny, data_dir):
    (data_dir / "tiny").mkdir(parents=True)
    assert catalog.state(tiny, data_dir) == "absent"
    catalog.fetch(tiny, data_dir)
    assert files_in(data_dir) == GOOD


@pytest.mark.parametrize("there", ["tiny", "tiny/notes.txt", "tiny/trainA/mine.jpg"])
def test_something_else_of_that_name_stays(there, tiny, server, data_dir):
    (data_dir / there).parent.mkdir(parents=True)
    (data_dir / there).write_bytes(b"mine")
    assert catalog.state(tiny, data_dir) == "incomplete"
    with pytest.raises(FileExistsError, match=r"has nothing in .*trainB testA testB\. Remove"):
        catalog.fetch(tiny, data_dir)
    assert files_in(data_dir) == {there: b"mine"}
    assert server.requests == []


def test_hidden_files_make_no_set(tiny, data_dir):
    for folder in catalog.FOLDERS:
        (data_dir / "tiny" / folder).mkdir(parents=True)
        (data_dir / "tiny" / folder / ".DS_Store").touch()
    assert catalog.state(tiny, data_dir) == "incomplete"


def test_an_archive_put_there_by_hand(tiny, server, data_dir):
    data_dir.mkdir(parents=True)
    (data_dir / ".tiny.zip.part").write_bytes(ARCHIVE[:100])  # Given up for a browser.
    by_hand = data_dir / "tiny.zip"
    by_hand.write_bytes(ARCHIVE[:-1] + b"?")
    with pytest.raises(ValueError, match=r"tiny\.zip' must have the SHA-256 .* take it away"):
        catalog.fetch(tiny, data_dir)
    assert by_hand.read_bytes() == ARCHIVE[:-1] + b"?"  # Not ours to remove.
    by_hand.write_bytes(ARCHIVE)
    catalog.fetch(tiny, data_dir)
    assert files_in(data_dir) == {**GOOD, "tiny.zip": ARCHIVE}
    assert server.requests == []


def test_a_wrong_archive_is_not_unpacked(tiny, tmp_path, data_dir, monkeypatch):
    monkeypatch.setattr(unpack, "unpack", None)  # Not to be called.
    other = ARCHIVE[:-1] + b"?"
    (tmp_path / "served" / "tiny.zip").write_bytes(other)
    with pytest.raises(ValueError, match=r"the SHA-256 .* It was removed") as caught:
        catalog.fetch(tiny, data_dir)
    assert tiny.sha256 in str(caught.value)
    assert hashlib.sha256(other).hexdigest() in str(caught.value)
    assert list(data_dir.iterdir()) == []


def test_a_wrong_beginning_is_downloaded_anew_the_next_time(tiny, data_dir):
    data_dir.mkdir(parents=True)
    (data_dir / ".tiny.zip.part").write_bytes(b"?" * len(ARCHIVE))
    with pytest.raises(ValueError, match="Run the same command again"):
        catalog.fetch(tiny, data_dir)
    catalog.fetch(tiny, data_dir)
    assert files_in(data_dir) == GOOD


def test_an_archive_of_the_right_hash_that_lacks_a_folder_leaves_nothing(tiny, tmp_path, data_dir):
    content = zip_of({name: GOOD[name] for name in GOOD if "testB" not in name})
    (tmp_path / "served" / "tiny.zip").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    bad = dataclasses.replace(tiny, num_bytes=len(content), sha256=sha256)
    with pytest.raises(ValueError, match=r"tiny\.zip"):
        catalog.fetch(bad, data_dir)
    assert list(data_dir.iterdir()) == []


def test_an_archive_is_kept_when_only_the_disk_was_full(tiny, server, data_dir, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(unpack, "check_free_space", full)
        with pytest.raises(OSError, match="No space left"):
            catalog.fetch(tiny, data_dir)
    assert files_in(data_dir) == {".tiny.zip.part": ARCHIVE}
    catalog.fetch(tiny, data_dir)
    assert server.requests == ["/tiny.zip"]
    assert files_in(data_dir) == GOOD


def test_what_to_do_by_hand_without_a_network(tiny, data_dir):
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as closed:
        url = f"http://127.0.0.1:{closed.server_port}/tiny.zip"
    with pytest.raises(ConnectionError) as caught:
        catalog.fetch(dataclasses.replace(tiny, url=url), data_dir)
    message = str(caught.value)
    assert f"download {url} with a browser, put it at '{data_dir / 'tiny.zip'}'" in message
    assert list(data_dir.iterdir()) == []


def test_two_at_once(tiny, server, data_dir, monkeypatch):
    inside, go_on = threading.Event(), threading.Event()
    check = fetch.check

    def slow_check(*args):
        inside.set()
        assert go_on.wait(10)
        check(*args)

    monkeypatch.setattr(fetch, "check", slow_check)
    first = threading.Thread(target=catalog.fetch, args=(tiny, data_dir))
    first.start()
    assert inside.wait(10)
    with pytest.raises(BlockingIOError, match=r"\.tiny\.lock"):
        catalog.fetch(tiny, data_dir)
    go_on.set()
    first.join()
    assert files_in(data_dir) == GOOD
    assert server.requests == ["/tiny.zip"]


def test_another_one_was_faster(tiny, server, data_dir, monkeypatch):
    locked = fetch.locked

    def locked_late(path):
        monkeypatch.setattr(fetch, "locked", locked)
        catalog.fetch(tiny, data_dir)
        return locked(path)

    monkeypatch.setattr(fetch, "locked", locked_late)
    assert catalog.fetch(tiny, data_dir) == data_dir / "tiny"
    assert server.requests == ["/tiny.zip"]
    assert files_in(data_dir) == GOOD
