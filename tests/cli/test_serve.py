"""`cyclegan serve`, in this process."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import threading
import time

import pytest

from cyclegan_keras import TrainConfig, save_generator
from cyclegan_keras.cli import main as cli
from cyclegan_keras.config.value_range import ValueRange
from tests.serving.conftest import png_of, translators  # noqa: F401


@pytest.fixture
def run_dir(tmp_path, translators):  # noqa: F811
    folder = tmp_path / "a run"
    folder.mkdir()
    (folder / "config.json").write_text(TrainConfig(image_size=32).to_json(), "utf-8")
    for way, network in translators.items():
        save_generator(network, folder / f"g_{way}.keras")
    return folder


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_asked_to_end(run_dir, capsys, signum):
    port, answers = free_port(), []

    def use():
        try:
            deadline = time.monotonic() + 30
            while True:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                try:
                    connection.request("POST", "/api/translate?way=BA", png_of())
                    answers.append(connection.getresponse().status)
                    return
                except ConnectionRefusedError:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
        finally:
            os.kill(os.getpid(), signum)

    before = signal.getsignal(signum)
    threading.Thread(target=use).start()
    assert cli.main(["serve", "--run-dir", str(run_dir), "--port", str(port)]) == 0
    assert answers == [200]
    out, err = capsys.readouterr()
    assert f"http://127.0.0.1:{port}/" in out
    assert "Warning" not in err
    assert "POST /api/translate?way=BA 200" in err
    assert signal.getsignal(signum) is before


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--port", "70000"], "--port"),
        (["--max-megapixels", "0"], "--max-megapixels"),
        (["--max-megabytes", "nan"], "--max-megabytes"),
        (["--max-waiting", "-1"], "--max-waiting"),
        (["--best"], "g_AB.best.keras"),
        (["--host", "no.such.host.invalid"], "--host"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(run_dir, capsys, flags, words):
    assert cli.main(["serve", "--run-dir", str(run_dir), "--port", "0", *flags]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_a_run_that_is_not_there(tmp_path, capsys):
    assert cli.main(["serve", "--run-dir", str(tmp_path / "nothing")]) == 2
    assert "There is no run" in capsys.readouterr().err


@pytest.mark.parametrize("ways", [["AB", "BA"], ["BA"]])
def test_the_page_of_a_run(run_dir, tmp_path, capsys, ways):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    output = tmp_path / "page.html"
    argv = ["export", "--run-dir", str(run_dir), "--format", "page", "--output", str(output)]
    argv += ["--way", ways[0]] if len(ways) == 1 else []
    assert cli.main(argv) == 0
    text = output.read_text("utf-8")
    assert [way for way in ("AB", "BA") if f'id="model-{way}"' in text] == ways
    assert "<title>a run: translate pictures</title>" in text
    assert cli.main(argv) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_a_page_beyond_the_bound_is_not_written(run_dir, tmp_path, capsys):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    shutil.copy(run_dir / "g_AB.keras", tmp_path / "g_AB.keras")
    argv = ["export", "--model", str(tmp_path / "g_AB.keras"), "--format", "page"]
    argv += ["--output", str(tmp_path / "page.html"), "--float16", "--bound", "0"]
    assert cli.main(argv) == 2
    assert "--bound" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_the_settings_of_the_run_are_those_of_the_server(run_dir, monkeypatch):
    config = TrainConfig(image_size=32, fit="crop", value_range=(0, 200, 10, 100))
    (run_dir / "config.json").write_text(config.to_json(), "utf-8")
    seen = []
    monkeypatch.setattr(
        "cyclegan_keras.serving.server.Server", lambda *args, **_: seen.extend(args)
    )
    with pytest.raises(AttributeError):  # There is no server to run.
        cli.main(["serve", "--run-dir", str(run_dir)])
    made = seen[0]
    assert {way: each.manner.fit for way, each in made.items()} == {
        "AB": "crop",
        "BA": "crop",
    }
    assert made["BA"].ranges == (ValueRange(10, 100), ValueRange(0, 200))


def test_the_settings_of_the_run_are_those_of_the_page(run_dir, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    config = TrainConfig(image_size=32, fit="crop", value_range=(0, 200, 10, 100))
    (run_dir / "config.json").write_text(config.to_json(), "utf-8")
    output = tmp_path / "page.html"
    words = ["--run-dir", str(run_dir), "--format", "page", "--output", str(output)]
    assert cli.main(["export", *words]) == 0
    found = re.search(r'id="settings"[^>]*>(.*?)</script>', output.read_text("utf-8"), re.S)
    settings = json.loads(found[1])
    assert (settings["fit"], settings["multiple"], settings["least"]) == ("crop", 16, 32)
    assert settings["ranges"] == {"AB": [[0, 200], [10, 100]], "BA": [[10, 100], [0, 200]]}
