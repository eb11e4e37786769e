import collections
import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import http.server
import re
import socket
import struct
import threading

import numpy as np
import pytest

from cyclegan_keras.data.known import fetch

BODY = np.random.default_rng(0).bytes(200_000)


@dataclasses.dataclass
class Answer:
    """How the server behaves once."""

    status: int = 200
    knows_ranges: bool = True
    content_length: int | str | None = "right"
    content_range: str | None = None
    cut: int | None = None
    reset: bool = False
    silence: float = 0.0


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        answer = server.answers.popleft() if server.answers else server.always
        asked = self.headers["Range"]
        server.ranges.append(asked)
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
        if not answer.knows_ranges:
            start = 0
        if answer.status != 200:
            self.send_error(answer.status)
            return
        body = server.body[start:]
        self.send_response(206 if start else 200)
        if start:
            right = f"bytes {start}-{len(server.body) - 1}/{len(server.body)}"
            self.send_header("Content-Range", answer.content_range or right)
        if answer.content_length is not None:
            right = len(body) if answer.content_length == "right" else answer.content_length
            self.send_header("Content-Length", str(right))
        self.end_headers()
        threading.Event().wait(answer.silence)
        server.sent += len(body[: answer.cut])
        with contextlib.suppress(OSError):  # A client that has seen enough.
            self.wfile.write(body[: answer.cut])
        if answer.reset:
            no_goodbye = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_goodbye)
            self.connection.close()

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    """Serves `body`, notes what is asked for, and counts the bytes of bodies that it sends."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = BODY
        self.answers = collections.deque()
        self.always = Answer()
        self.ranges = []
        self.sent = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/set.zip"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def pauses(monkeypatch):
    """Waits not at all, and notes how long it would have been."""
    slept = []
    monkeypatch.setattr(fetch.time, "sleep", slept.append)
    return slept


@pytest.fixture
def path(tmp_path):
    return tmp_path / "set.zip.part"


def get(server, path):
    fetch.download(server.url, path, len(BODY))


def test_a_whole_file(server, path):
    get(server, path)
    assert path.read_bytes() == BODY
    assert server.ranges == [None]


def test_a_cut_download_goes_on_where_it_was_cut(server, path, pauses):
    server.answers.extend([Answer(cut=70_000), Answer(cut=30_000)])
    get(server, path)
    assert path.read_bytes() == BODY
    assert server.ranges == [None, "bytes=70000-", "bytes=100000-"]
    assert server.sent == len(BODY)  # No byte twice.
    assert pauses == [1, 2]


def test_a_reset_connection_is_asked_again(server, path, pauses):
    server.answers.append(Answer(cut=70_000, reset=True))
    get(server, path)
    assert path.read_bytes() == BODY
    assert len(server.ranges) == 2


def test_a_silent_server_is_asked_again(server, path, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT", 0.1)
    monkeypatch.setattr(fetch, "PAUSES", (0.0,))
    server.answers.append(Answer(silence=0.5))
    get(server, path)
    assert path.read_bytes() == BODY
    assert len(server.ranges) == 2


def test_an_earlier_call_is_continued(server, path):
    path.write_bytes(BODY[:150_000])
    get(server, path)
    assert path.read_bytes() == BODY
    assert server.ranges == ["bytes=150000-"]
    assert server.sent == 50_000


@pytest.mark.parametrize(
    ("answer", "requests"),
    [
        (Answer(knows_ranges=False), ["bytes=1000-"]),
        (Answer(status=416), ["bytes=1000-", None]),
        (Answer(content_range="bytes 500-199999/200000"), ["bytes=1000-", None]),
        (Answer(content_range="lines 1-2"), ["bytes=1000-", None]),
    ],
)
def test_a_server_that_cannot_resume_gives_the_whole(server, path, answer, requests):
    path.write_bytes(b"?" * 1000)
    server.answers.append(answer)
    get(server, path)
    assert path.read_bytes() == BODY
    assert server.ranges == requests


def test_a_range_of_unknown_total_is_taken(server, path):
    path.write_bytes(BODY[:1000])
    server.answers.append(Answer(content_range="bytes 1000-199999/*"))
    get(server, path)
    assert path.read_bytes() == BODY
    assert server.sent == 199_000


def test_a_file_too_long_is_made_anew_and_a_whole_one_left_alone(server, path):
    path.write_bytes(BODY + b"!")
    get(server, path)
    assert path.read_bytes() == BODY
    assert server.ranges == [None]
    get(server, path)
    assert server.ranges == [None]


@pytest.mark.parametrize("announced", [0, 199_999, 200_001, 10**12])
def test_another_size_is_refused_before_anything_is_written(server, path, announced):
    server.answers.append(Answer(content_length=announced, cut=0))
    with pytest.raises(ConnectionError, match=f"200000 bytes. Received: a file of {announced}"):
        get(server, path)
    assert not path.exists()
    # What came earlier may be right: it is kept, whatever is announced now.
    path.write_bytes(BODY[:1000])
    server.answers.append(Answer(content_length=announced, cut=0, knows_ranges=False))
    with pytest.raises(ConnectionError, match=f"Received: a file of {announced}"):
        get(server, path)
    server.answers.append(Answer(content_range=f"bytes 1000-{announced}/{announced}"))
    with pytest.raises(ConnectionError, match=f"Received: a file of {announced}"):
        get(server, path)
    assert path.read_bytes() == BODY[:1000]


def test_never_more_bytes_than_expected(server, path):
    server.body = BODY + b"surplus"
    server.answers.append(Answer(content_length=None))
    get(server, path)
    assert path.read_bytes() == BODY
    path.write_bytes(BODY[:1000])
    server.answers.append(Answer(content_length=None, content_range="bytes 1000-200006/*"))
    get(server, path)
    assert path.read_bytes() == BODY


def test_a_body_shorter_than_announced_gives_up_and_keeps_what_came(server, path, pauses):
    server.body = BODY[:120_000]
    server.always = Answer(content_length=len(BODY), knows_ranges=False)
    with pytest.raises(ConnectionError, match=r"ended after 120000 of 200000.* first 0\.1 MB are"):
        get(server, path)
    assert pauses == [1, 2, 4, 8]
    assert len(server.ranges) == 5
    assert path.read_bytes() == BODY[:120_000]


def test_an_empty_body_leaves_no_empty_file(server, path, pauses):
    server.always = Answer(cut=0)
    with pytest.raises(ConnectionError, match="ended after 0 of 200000 bytes"):
        get(server, path)
    assert not path.exists()


@pytest.mark.parametrize(("status", "tries"), [(403, 1), (404, 1), (429, 5), (500, 5), (503, 5)])
def test_an_error_status(server, path, pauses, status, tries):
    server.always = Answer(status=status)
    with pytest.raises(ConnectionError, match=f"set.zip: the server answers {status} "):
        get(server, path)
    assert len(server.ranges) == tries
    assert not path.exists()


def test_a_passing_error_passes(server, path, pauses):
    server.answers.extend([Answer(status=503), Answer(status=500)])
    get(server, path)
    assert path.read_bytes() == BODY


def test_without_a_network_it_says_so_at_once(path, pauses, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as closed:
        url = closed.url
    path.write_bytes(BODY[:1000])
    with pytest.raises(ConnectionError, match="Connection refused"):
        fetch.download(url, path, len(BODY))
    assert pauses == []
    assert path.read_bytes() == BODY[:1000]


def test_a_network_that_goes_away_is_waited_for(server, path, monkeypatch):
    pauses = []

    def sleep(seconds):
        if not pauses:
            server.shutdown()
            server.server_close()
        pauses.append(seconds)

    server.answers.append(Answer(cut=70_000))
    monkeypatch.setattr(fetch.time, "sleep", sleep)
    with pytest.raises(ConnectionError, match="Connection refused"):
        get(server, path)
    assert pauses == [1, 2, 4, 8]
    assert path.read_bytes() == BODY[:70_000]


def test_room_for_the_rest_and_for_the_images(server, path, monkeypatch):
    path.write_bytes(BODY[:50_000])
    free = 350_000 - 1
    usage = collections.namedtuple("usage", "free")
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda path: usage(free))
    with pytest.raises(OSError, match=r"0\.3 MB are free. Make room"):
        get(server, path)
    assert server.ranges == []
    free += 1
    get(server, path)
    assert path.read_bytes() == BODY


def test_check(path):
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    fetch.check(path, 3, sha256)
    with pytest.raises(ValueError, match=r"must have 4 bytes\. Received: 3 bytes"):
        fetch.check(path, 4, sha256)
    path.write_bytes(b"abd")
    other = hashlib.sha256(b"abd").hexdigest()
    with pytest.raises(ValueError, match=f"SHA-256 {sha256}. Received: {other}"):
        fetch.check(path, 3, sha256)


def test_only_one_at_a_time(tmp_path):
    path = tmp_path / "lock"
    path.touch()  # Left over by a process that was killed.
    for _ in range(2):
        with fetch.locked(path):
            with pytest.raises(BlockingIOError, match="Wait until it is done"), fetch.locked(path):
                pass
            with pytest.raises(BlockingIOError), fetch.locked(path):  # Still: that released none.
                pass
            assert path.exists()
        assert not path.exists()


def test_a_lock_on_a_file_that_was_removed_is_none(tmp_path, monkeypatch):
    path, flock = tmp_path / "lock", fcntl.flock

    def removed_meanwhile(file, how):
        flock(file, how)
        path.unlink()  # As the one before does when it is done.

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", removed_meanwhile)
        with pytest.raises(BlockingIOError), fetch.locked(path):
            pass
    with fetch.locked(path):
        pass


def test_an_error_inside_is_not_one_of_the_lock(tmp_path):
    with pytest.raises(OSError, match=r"^mine$"), fetch.locked(tmp_path / "lock"):
        raise OSError("mine")
    with fetch.locked(tmp_path / "lock"):
        pass


def test_a_disk_that_knows_no_locks(tmp_path, monkeypatch):
    def flock(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with (
        pytest.raises(OSError, match=r"No locks available\. Name a --data-dir"),
        fetch.locked(tmp_path / "lock"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
