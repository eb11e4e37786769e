import dataclasses
import hashlib
import http.server
import io
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import types
import zipfile

import numpy as np
import pytest

from cyclegan_keras.cli.main import main
from cyclegan_keras.data.known import catalog, fetch

RNG = np.random.default_rng(0)
FOLDERS = {"trainA": 3, "trainB": 2, "testA": 1, "testB": 1}


def make_archive():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for folder, count in FOLDERS.items():
            for i in range(count):
                archive.writestr(f"horse2zebra/{folder}/{i}.jpg", RNG.bytes(20_000))
    return file.getvalue()


ARCHIVE = make_archive()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the archive: the first time only 50,000 bytes of it, if it is told to stall."""

    def do_GET(self):
        self.server.ranges.append(self.headers["Range"])
        start = int((self.headers["Range"] or "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(ARCHIVE) - start))
        self.send_header("Content-Range", f"bytes {start}-{len(ARCHIVE) - 1}/{len(ARCHIVE)}")
        self.end_headers()
        if self.server.stalls and not start:
            self.wfile.write(ARCHIVE[:50_000])
            self.server.done.wait(30)
        else:
            self.wfile.write(ARCHIVE[start:])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.ranges, server.stalls, server.done = [], False, threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.done.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def horses(server, monkeypatch, tmp_path):
    """`horse2zebra`, as the server has it, and an empty working folder."""
    monkeypatch.chdir(tmp_path)
    dataset = dataclasses.replace(
        catalog.DATASETS["horse2zebra"],
        url=f"http://127.0.0.1:{server.server_port}/horse2zebra.zip",
        num_bytes=len(ARCHIVE),
        sha256=hashlib.sha256(ARCHIVE).hexdigest(),
    )
    monkeypatch.setitem(catalog.DATASETS, "horse2zebra", dataset)
    return dataset


def test_list_shows_what_is_there_without_a_network(tmp_path, monkeypatch, capsys):
    for folder in FOLDERS:
        (tmp_path / "maps" / folder).mkdir(parents=True)
        (tmp_path / "maps" / folder / "0.jpg").touch()
    (tmp_path / "facades" / "trainA").mkdir(parents=True)
    monkeypatch.setattr(socket, "socket", None)
    assert main(["data", "list", "--data-dir", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [[word.strip() for word in line.split("  ") if word.strip()] for line in lines]
    assert len({line.rindex(row[-1]) for line, row in zip(lines, rows, strict=True)}) == 1
    assert rows[0] == ["name", "A", "B", "MB", f"in {tmp_path}"]
    assert ["horse2zebra", "horses", "zebras", "117", "no"] in rows
    assert ["facades", "photos of facades", "their labels", "35", "incomplete"] in rows
    assert ["maps", "aerial photos", "street maps", "1477", "yes"] in rows
    assert len(rows) == 12


@pytest.mark.parametrize("argv", [["data", "--help"], ["data", "list"]])
def test_neither_help_nor_list_loads_what_it_does_not_need(argv):
    code = (
        "import sys\n"
        "from cyclegan_keras.cli.main import main\n"
        f"try:\n    main({argv})\n"
        "finally:\n    print({'tensorflow', 'keras', 'numpy', 'urllib.request'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0
    assert result.stdout.endswith("set()\n")


def test_fetch(horses, capsys):
    assert main(["data", "fetch", "horse2zebra"]) == 0
    place = pathlib.Path("data", "horse2zebra")
    counts = "3 in trainA, 2 in trainB, 1 in testA, 1 in testB"
    hint = "To train on it: cyclegan train --dataset horse2zebra"
    assert capsys.readouterr().out.splitlines() == [f"{place}: {counts}", hint]
    assert [path.name for path in pathlib.Path("data").iterdir()] == ["horse2zebra"]
    assert main(["data", "fetch", "horse2zebra"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{place} exists already: {counts}", hint]


def test_fetch_to_another_folder(horses, capsys):
    assert main(["data", "fetch", "horse2zebra", "--data-dir", "my sets"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == "To train on it: cyclegan train --data-dir 'my sets/horse2zebra'"
    assert sum(1 for _ in pathlib.Path("my sets").rglob("*.jpg")) == 7


def is_a_file(data_dir, server, monkeypatch):
    (data_dir / "horse2zebra").touch()


def empty_archive(data_dir, server, monkeypatch):
    (data_dir / "horse2zebra.zip").touch()


def no_network(data_dir, server, monkeypatch):
    server.shutdown()
    server.server_close()


def full_disk(data_dir, server, monkeypatch):
    usage = types.SimpleNamespace(free=1000)
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda path: usage)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (is_a_file, "must be missing or empty"),
        (empty_archive, "Received: 0 bytes"),
        (no_network, "/data/horse2zebra.zip', and run the same command again"),
        (full_disk, "Make room"),
    ],
)
def test_what_goes_wrong_is_told_in_one_line(
    what, reason, horses, server, tmp_path, monkeypatch, capsys
):
    (tmp_path / "data").mkdir()
    what(tmp_path / "data", server, monkeypatch)
    before = sorted((tmp_path / "data").iterdir())
    assert main(["data", "fetch", "horse2zebra"]) == 2
    lines = capsys.readouterr().err.rstrip().splitlines()
    assert lines[-1].startswith("cyclegan: error: ")
    assert reason in lines[-1]
    assert "Traceback" not in "".join(lines)
    assert sorted((tmp_path / "data").iterdir()) == before


@pytest.mark.parametrize(
    "argv", [["data"], ["data", "paint"], ["data", "fetch"], ["data", "fetch", "fruits"]]
)
def test_wrong_words(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("argv", [["data", "--debug", "fetch"], ["data", "fetch", "--debug"]])
def test_debug_goes_before_and_after_the_action(argv, horses, tmp_path):
    (tmp_path / "data").touch()
    with pytest.raises(FileExistsError):
        main([*argv, "horse2zebra"])


def test_ctrl_c_leaves_what_came_and_the_next_call_goes_on(horses, server, tmp_path):
    code = (
        "import sys\n"
        "from cyclegan_keras.cli.main import main\n"
        "from cyclegan_keras.data.known import catalog\n"
        f"catalog.DATASETS['horse2zebra'] = catalog.{horses!r}\n"
        "sys.exit(main(['data', 'fetch', 'horse2zebra']))"
    )
    server.stalls = True
    partial = tmp_path / "data" / ".horse2zebra.zip.part"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while not (partial.exists() and partial.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "cyclegan: interrupted"
    assert "Traceback" not in errors
    assert list((tmp_path / "data").iterdir()) == [partial]
    kept = partial.read_bytes()
    assert 0 < len(kept) <= 50_000
    assert ARCHIVE.startswith(kept)
    assert main(["data", "fetch", "horse2zebra"]) == 0
    assert server.ranges == [None, f"bytes={len(kept)}-"]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["horse2zebra"]
