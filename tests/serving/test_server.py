import concurrent.futures
import json
import pathlib
import re
import select
import socket
import struct
import threading
import time
import zlib

import numpy as np
import pytest

from cyclegan_keras import translate_image
from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.inference.pictures import Ranges
from cyclegan_keras.inference.translate import Manner, Translator
from cyclegan_keras.serving import pictures
from cyclegan_keras.serving.hosts import Hosts
from cyclegan_keras.serving.limits import Limits
from cyclegan_keras.serving.server import Server
from tests.serving.conftest import pixels_of, png_of, posted, reason_of

HEAD = "POST /api/translate?way=AB HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"


def sent(server, text, body=b"", timeout=20):
    """Sends bytes as they are, and returns all that comes back."""
    with socket.create_connection(("127.0.0.1", server.port), timeout) as connection:
        connection.sendall(text.format(port=server.port).encode("latin-1") + body)
        return received(connection)


def received(connection):
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    return answer


def status_of(answer):
    return int(answer.split(b" ", 2)[1])


def is_open(connection):
    """Whether the other side has not closed the connection; it sends nothing."""
    connection.settimeout(0.01)
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def eventually(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("way", ["AB", "BA"])
def test_it_translates_as_the_library_does(serve, translators, way):
    server, body = serve(), png_of(size=(40, 24))
    status, headers, answer = posted(server, body, f"/api/translate?way={way}")
    assert (status, headers["Content-Type"]) == (200, "image/png")
    want = np.asarray(translate_image(translators[way], pixels_of(body)))
    np.testing.assert_array_equal(pixels_of(answer), want)
    assert server.bodies.taken == 0


def test_it_translates_as_the_run_was_trained(serve, translators):
    ranges = Ranges(ValueRange(20, 200), ValueRange(0, 100))
    translator = Translator(translators["AB"], Manner(fit="pad"), ranges)
    server, body = serve({"AB": translator}), png_of(size=(90, 24))
    status, _, answer = posted(server, body)
    assert status == 200
    np.testing.assert_array_equal(pixels_of(answer), translator(pixels_of(body)))
    assert pixels_of(answer).max() == 100


def test_the_page_may_use_this_server_and_nothing_else(serve):
    server = serve()
    status, headers, body = posted(server, None, "/", "GET")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    rules = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert b"a &lt;run&gt;: translate pictures" in body
    status, headers, none = posted(server, None, "/", "HEAD")
    assert (status, headers["Content-Length"], none) == (200, str(len(body)), b"")


PATH, QUERY = "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{{port}}\r\n\r\n", "/api/translate?way=AB"
OWN = "Host: 127.0.0.1:{port}\r\n"
HOSTILE = {
    "another name, as after DNS rebinding": (
        "GET / HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n",
        421,
    ),
    "another port": ("GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", 421),
    "no name": ("GET / HTTP/1.1\r\n\r\n", 421),
    "two names": (f"GET / HTTP/1.1\r\n{OWN}Host: evil.example\r\n\r\n", 421),
    "a page of another site": (HEAD + "Origin: http://evil.example\r\n\r\n", 403),
    "a page from disk": (HEAD + "Origin: null\r\n\r\n", 403),
    "another port's page": (HEAD + "Origin: http://127.0.0.1:1\r\n\r\n", 403),
    "a picture in another site's page": (
        f"GET / HTTP/1.1\r\n{OWN}Sec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: image\r\n\r\n",
        403,
    ),
    "a path upwards": (f"GET /../../etc/passwd HTTP/1.1\r\n{OWN}\r\n", 404),
    "a path upwards, escaped": (f"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n{OWN}\r\n", 404),
    "a file of the run": (f"GET /config.json HTTP/1.1\r\n{OWN}\r\n", 404),
    "a proxy's address": (f"GET http://evil.example/ HTTP/1.1\r\n{OWN}\r\n", 404),
    "another method": (f"DELETE / HTTP/1.1\r\n{OWN}\r\n", 405),
    "an unknown method": (f"BREW / HTTP/1.1\r\n{OWN}\r\n", 405),
    "GET where POST belongs": (f"GET {QUERY} HTTP/1.1\r\n{OWN}\r\n", 405),
    "no way": (f"POST /api/translate HTTP/1.1\r\n{OWN}Content-Length: 1\r\n\r\nx", 400),
    "an unknown way": (f"POST /api/translate?way=AC HTTP/1.1\r\n{OWN}\r\n", 400),
    "two ways": (f"POST {QUERY}&way=BA HTTP/1.1\r\n{OWN}\r\n", 400),
    "a path as the way": (f"POST /api/translate?way=../g_AB HTTP/1.1\r\n{OWN}\r\n", 400),
    "no length": (HEAD + "\r\n", 411),
    "chunks": (HEAD + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    "chunks and a length": (
        HEAD + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nx",
        411,
    ),
    "two lengths": (HEAD + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
    "a negative length": (HEAD + "Content-Length: -1\r\n\r\n", 400),
    "a length that is no number": (HEAD + "Content-Length: 1e3\r\n\r\n", 400),
    "a length of digits that are not ASCII": (HEAD + "Content-Length: \xb2\r\n\r\n", 400),
    "an endless length": (HEAD + "Content-Length: " + "9" * 400 + "\r\n\r\n", 400),
    "nothing": (HEAD + "Content-Length: 0\r\n\r\n", 400),
    "too many bytes": (HEAD + "Content-Length: 5000001\r\n\r\n", 413),
    "too many bytes, asking first": (
        HEAD + "Content-Length: 5000001\r\nExpect: 100-continue\r\n\r\n",
        413,
    ),
    "no picture": (HEAD + "Content-Length: 5\r\n\r\nhello", 422),
    "a line without end": ("GET /" + "a" * 70_000 + f" HTTP/1.1\r\n{OWN}\r\n", 414),
    "a header without end": (f"GET / HTTP/1.1\r\n{OWN}X: " + "a" * 70_000 + "\r\n\r\n", 431),
    "many headers": (f"GET / HTTP/1.1\r\n{OWN}" + "X: a\r\n" * 200 + "\r\n", 431),
    "long headers": (
        f"GET / HTTP/1.1\r\n{OWN}" + ("X: " + "a" * 9_000 + "\r\n") * 40 + "\r\n",
        431,
    ),
    "no HTTP": ("\x16\x03\x01\x02 hello\r\n\r\n", 400),
    "a version of its own": (f"GET / HTTP/9.9\r\n{OWN}\r\n", 505),
}


@pytest.fixture(scope="module")
def usual(translators):
    server = Server(translators, port=0, limits=Limits(body_bytes=5_000_000), log=lambda line: None)
    with server.running():
        yield server


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_requests_are_refused_in_a_sentence(usual, name):
    text, status = HOSTILE[name]
    answer = sent(usual, text)
    assert status_of(answer) == status, answer
    head, _, body = answer.partition(b"\r\n\r\n")
    assert reason_of(body)
    # Neither what was sent nor where anything is on this computer is repeated.
    for word in (b"evil", b"passwd", b"Traceback", b"/tmp", b"cyclegan-serve", b"python"):
        assert word not in body.lower()
        assert word not in head.lower()
    assert usual.bodies.taken == 0


def test_the_documentation_has_what_each_hostile_request_gets():
    page = (pathlib.Path(__file__).parents[2] / "docs" / "serve.md").read_text("utf-8")
    shown = {int(status) for status in re.findall(r"^\| (\d{3}) \|", page, re.M)}
    tested = {status for _, status in HOSTILE.values()}
    assert tested | {200, 408, 500, 503} == shown
    rows = re.findall(r"^\| ([^|]+?) \| (\d{3}) \|$", page, re.M)
    assert {name: int(status) for name, status in rows if not name.isdigit()} == {
        name: status for name, (_, status) in HOSTILE.items()
    }


def bomb():
    """A PNG of 200 bytes that says that it has ten billion pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(1000))
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_pixels_are_counted_before_they_are_decoded(usual):
    status, _, body = posted(usual, bomb())
    assert status == 413
    assert "50,000,000 pixels" in reason_of(body)


def test_what_is_wrong_with_a_picture_is_said_without_its_place(usual):
    damaged = png_of()[:-20]
    for body in (damaged, b"\xff\xd8\xff\xe0", b"GIF89a", b"II*\0" + bytes(40), b"<svg/>"):
        status, _, answer = posted(usual, body)
        assert status == 422
        assert "that was sent" in reason_of(answer)
        assert "picture-" not in reason_of(answer)
        assert usual._folder.name not in reason_of(answer)
    assert posted(usual, png_of())[0] == 200


@pytest.mark.parametrize("part", ["", "POST / HT", HEAD])
def test_a_sender_of_a_slow_head_is_dropped_in_time(serve, part):
    server = serve(head_seconds=0.4)
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(part.format(port=server.port).encode())
        # One byte now and then, which would start any time-out of a socket again.
        while is_open(connection) and time.monotonic() < start + 3:
            connection.sendall(b"a")
            time.sleep(0.05)
    assert time.monotonic() - start < 2
    eventually(lambda: server._connections.taken == 0)


def test_a_sender_of_a_slow_body_is_told(serve):
    server = serve(body_seconds=0.4)
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(HEAD.format(port=server.port).encode() + b"Content-Length: 99\r\n\r\n")
        while not select.select([connection], [], [], 0.05)[0] and time.monotonic() < start + 3:
            connection.sendall(b"a")
        assert status_of(received(connection)) == 408
    assert time.monotonic() - start < 2
    assert server.bodies.taken == 0


def test_a_sender_that_asks_first_is_told_to_go_on(usual):
    body = png_of()
    with socket.create_connection(("127.0.0.1", usual.port), 10) as connection:
        head = HEAD + f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(head.format(port=usual.port).encode())
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert status_of(received(connection)) == 200


def test_a_body_that_ends_early_is_refused(usual):
    with socket.create_connection(("127.0.0.1", usual.port), 10) as connection:
        connection.sendall(HEAD.format(port=usual.port).encode() + b"Content-Length: 99\r\n\r\nabc")
        connection.shutdown(socket.SHUT_WR)
        assert status_of(received(connection)) == 400
    assert usual.bodies.taken == 0


def test_a_large_body_that_is_refused_does_not_hide_the_answer(usual):
    body = bytes(5_000_001)
    status, _, answer = posted(usual, body)
    assert status == 413
    assert "5,000,000 bytes" in reason_of(answer)


class Held:
    """A network that waits until it may go on."""

    def __init__(self, network):
        self.network, self.input_shape = network, network.input_shape
        self.may_go, self.calls = threading.Event(), 0

    def __getattr__(self, name):
        return getattr(self.network, name)

    def predict_on_batch(self, batch):
        self.calls += 1
        assert self.may_go.wait(20)
        return self.network.predict_on_batch(batch)


@pytest.fixture
def held(translators):
    network = Held(translators["AB"])
    yield network
    network.may_go.set()


def in_threads(function, *arguments):
    pool = concurrent.futures.ThreadPoolExecutor(len(arguments))
    futures = [pool.submit(function, argument) for argument in arguments]
    pool.shutdown(wait=False)
    return futures


def test_beyond_the_queue_senders_are_told_to_come_back(serve, held):
    server = serve({"AB": held}, waiting=2)
    futures = in_threads(lambda seed: posted(server, png_of(seed)), *range(3))
    eventually(lambda: server._waiting.taken == 3)
    status, headers, _ = posted(server, png_of())
    assert (status, headers["Retry-After"]) == (503, "1")
    held.may_go.set()
    assert [future.result()[0] for future in futures] == [200] * 3
    assert posted(server, png_of())[0] == 200


def test_all_bodies_together_are_limited(serve, held):
    body = png_of()
    server = serve({"AB": held}, body_bytes=2 * len(body), bodies_bytes=2 * len(body) + 10)
    futures = in_threads(lambda _: posted(server, body), 1, 2)
    eventually(lambda: server.bodies.taken == 2 * len(body))
    assert posted(server, body)[0] == 503
    held.may_go.set()
    assert [future.result()[0] for future in futures] == [200, 200]
    eventually(lambda: server.bodies.taken == 0)


def test_beyond_the_connections_senders_are_told_to_come_back(serve):
    server = serve(connections=2)
    idle = [socket.create_connection(("127.0.0.1", server.port), 10) for _ in range(2)]
    eventually(lambda: server._connections.taken == 2)
    status, headers, _ = posted(server, None, "/", "GET")
    assert (status, headers["Retry-After"]) == (503, "1")
    for connection in idle:
        connection.close()
    eventually(lambda: server._connections.taken == 0)
    assert posted(server, None, "/", "GET")[0] == 200


def test_what_nobody_waits_for_is_not_translated(serve, held):
    server, body = serve({"AB": held}), png_of()
    first = in_threads(lambda _: posted(server, body), 1)[0]
    eventually(lambda: held.calls == 1)
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        head = HEAD.format(port=server.port) + f"Content-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        eventually(lambda: server._waiting.taken == 2)
    held.may_go.set()
    assert first.result()[0] == 200
    eventually(lambda: server._waiting.taken == 0)
    assert held.calls == 1


def test_an_error_of_ours_is_no_answer_without_end(serve, held, capsys):
    def fail(batch):
        raise RuntimeError("/a/path/of/ours")

    held.predict_on_batch = fail
    server = serve({"AB": held})
    status, _, answer = posted(server, png_of())
    assert status == 500
    assert b"/a/path" not in answer
    assert "/a/path/of/ours" in capsys.readouterr().err
    assert server.bodies.taken == 0


def test_a_hundred_requests_in_flight(serve, translators, monkeypatch):
    """None is lost or mixed up; one at a time is decoded and translated, which takes the memory."""
    at_a_time, most = 0, 0
    translated = pictures.translated

    def counted(*arguments):
        nonlocal at_a_time, most
        at_a_time += 1
        most = max(most, at_a_time)
        result = translated(*arguments)
        at_a_time -= 1
        return result

    monkeypatch.setattr(pictures, "translated", counted)
    server = serve()
    bodies = [png_of(seed) for seed in range(100)]
    want = [np.asarray(translate_image(translators["AB"], pixels_of(body))) for body in bodies]
    together = threading.Barrier(100)

    def post(body):
        together.wait(20)
        return posted(server, body)

    answers = [future.result() for future in in_threads(post, *bodies)]
    assert [status for status, *_ in answers] == [200] * 100
    for (_, _, answer), pixels in zip(answers, want, strict=True):
        np.testing.assert_array_equal(pixels_of(answer), pixels)
    assert most == 1
    eventually(lambda: server._connections.taken == 0)
    assert server.bodies.taken == server._waiting.taken == 0
    assert len(server.lines) == 100
    assert not [*pathlib.Path(server._folder.name).iterdir()]


def test_at_its_end_what_has_begun_is_finished(translators, held):
    body, log = png_of(), []
    server = Server({"AB": held}, port=0, log=log.append)
    with server.running():
        first = in_threads(lambda _: posted(server, body), 1)[0]
        eventually(lambda: held.calls == 1)
        threading.Timer(0.3, held.may_go.set).start()
        assert not first.done()
    assert not server._threads
    assert first.result(1)[0] == 200
    with pytest.raises(ConnectionRefusedError):
        posted(server, body)


def test_lines_of_the_log_have_no_control_characters(serve):
    server = serve()
    sent(server, "GET /\x1b[31mred\x07 HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: server.lines)
    assert server.lines[0].isprintable()
    assert " 421 " in server.lines[0]


def test_a_port_that_is_taken_is_said(serve, translators):
    port = serve().port
    with pytest.raises(OSError, match=f"127.0.0.1:{port}.*--port"):
        Server(translators, port=port)


@pytest.mark.parametrize(
    ("host", "asked", "is_own"),
    [
        ("127.0.0.1", "localhost:80", True),
        ("127.0.0.1", "LOCALHOST", True),
        ("127.0.0.1", "[::1]:80", True),
        ("127.0.0.1", "192.168.1.5", False),
        ("127.0.0.1", "proxy.example:9", True),
        ("127.0.0.1", "evil.proxy.example", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "localhost@evil.example", False),
        ("127.0.0.1", "localhost:80:80", False),
        ("127.0.0.1", "", False),
        ("0.0.0.0", "192.168.1.5", True),
        ("0.0.0.0", "[fe80::1]", True),
        ("0.0.0.0", "evil.example", False),
        ("box.example", "box.example", True),
    ],
)
def test_names_by_which_it_is_reached(host, asked, is_own):
    assert Hosts(host, 80, ["proxy.example"]).is_own(asked) is is_own


def test_limits_are_checked():
    with pytest.raises(ValueError, match="waiting=0"):
        Limits(waiting=0)
    with pytest.raises(ValueError, match="bodies_bytes"):
        Limits(body_bytes=10, bodies_bytes=5)


def test_answers_are_json(usual):
    assert json.loads(posted(usual, None, "/nothing", "GET")[2]).keys() == {"error"}
