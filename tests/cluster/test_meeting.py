"""How processes find each other, tell each other things, and notice that one is gone."""

import concurrent.futures
import socket
import threading
import time

import pytest

from cyclegan_keras.cluster import Cluster, WorkerLost, meet, team
from cyclegan_keras.cluster.team import Team, ended_by_chief

pytestmark = pytest.mark.integration

ABOUT = {"settings": {"batch_size": 4, "seed": 0}, "software": {"keras": "3"}}


def free_ports(count):
    doors = [socket.socket() for _ in range(count)]
    for door in doors:
        door.bind(("", 0))
    ports = [door.getsockname()[1] for door in doors]
    for door in doors:
        door.close()
    return ports


def all_meet(count, wait=10.0, abouts=None, came=None):
    """Each in a thread; their teams, or what they have raised."""
    workers = tuple(f"localhost:{port}" for port in free_ports(count))
    came = range(count) if came is None else came

    def one(index):
        about = (abouts or {}).get(index, ABOUT)
        try:
            return meet(Cluster(workers, index), about, wait, 60.0)
        except (WorkerLost, ValueError) as error:
            return error

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, came))


@pytest.fixture
def ended(monkeypatch):
    """What processes would have ended with."""
    found = []

    def end(status, text):
        found.append((status, text))
        raise SystemExit  # Of that thread.

    monkeypatch.setattr(team, "_end_now", end)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    return found


def until(true):
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_three_meet_and_the_chief_tells_the_others():
    teams = all_meet(3)
    assert [one.is_chief for one in teams] == [True, False, False]
    payload = bytes(range(256)) * 20_000
    with teams[1].working(), teams[2].working(), teams[0].working():
        teams[0].tell({"kind": "go", "stops": False})
        teams[0].tell({"kind": "state"}, payload)
        for one in teams[1:]:
            assert one.wait() == ({"kind": "go", "stops": False}, b"")
            assert one.wait() == ({"kind": "state"}, payload)
        teams[2].ask(15)
        until(lambda: teams[0].asked == 15)


def test_what_is_put_back_comes_next():
    chief, other = all_meet(2)
    with other.working(), chief.working():
        chief.tell({"kind": "second"})
        other.put_back({"kind": "first"}, b"")
        assert [other.wait()[0]["kind"] for _ in range(2)] == ["first", "second"]


@pytest.mark.parametrize(
    ("raised", "how"),
    [(None, None), (ValueError("no\nroom"), "no room"), (KeyboardInterrupt(), 2)],
)
def test_the_chief_tells_how_it_ends(raised, how, ended):
    chief, other = all_meet(2)
    with other.working():
        try:
            with chief.working():
                if raised is not None:
                    raise raised
        except (ValueError, KeyboardInterrupt):
            pass
        message, _ = other.wait()
        assert message["kind"] == "end"
        assert ended_by_chief(message) == how
    assert ended == []


def test_one_that_is_gone_is_noticed(ended):
    chief, other = all_meet(2)
    other._links[0].close()  # As the system does for a process that is killed.
    with chief.working():
        until(lambda: ended)
        status, text = ended[0]
        assert status == 75
        assert "worker 1 (localhost:" in text
        assert "same command" in text


def test_one_that_ends_with_an_error_is_quoted(ended):
    chief, other = all_meet(2)
    with chief.working():
        with pytest.raises(OSError, match="broken"), other.working():
            raise OSError("the disk is broken")
        until(lambda: ended)
        assert "the disk is broken" in ended[0][1]


def test_the_others_are_told_who_is_lost(ended):
    chief, other, third = all_meet(3)
    third._links[0].close()
    with other.working(), chief.working():
        until(lambda: len(ended) >= 2)
        assert all("worker 2 (localhost:" in text for _, text in ended[:2])


def test_silence_is_noticed(ended, monkeypatch):
    monkeypatch.setattr(team, "BEAT", 0.05)
    monkeypatch.setattr(team, "SILENCE", 0.5)
    chief, other = all_meet(2)  # The other one stands still: it has no thread that beats.
    begun = time.monotonic()
    with chief.working():
        until(lambda: ended)
        assert 0.4 < time.monotonic() - begun < 5
        assert "no sign of life" in ended[0][1]
    other._links[0].close()


def test_those_who_live_are_not_lost(ended, monkeypatch):
    monkeypatch.setattr(team, "BEAT", 0.05)
    monkeypatch.setattr(team, "SILENCE", 2.0)
    chief, other = all_meet(2)
    with other.working(), chief.working():
        time.sleep(2.5)
    assert ended == []


def test_a_step_that_is_stuck_is_noticed(ended, monkeypatch):
    monkeypatch.setattr(team, "BEAT", 0.05)
    chief, other = all_meet(2)
    chief._step_timeout = 0.2
    with other.working(), chief.working():
        chief.begin_step()
        chief.end_step()
        time.sleep(0.5)
        assert ended == []
        chief.begin_step()
        until(lambda: ended)
        assert "--step-timeout" in ended[0][1]


def test_one_that_does_not_come_is_named():
    found = all_meet(3, wait=1.0, came=[0, 1])
    assert all(isinstance(one, WorkerLost) for one in found)
    assert "worker 2 (localhost:" in str(found[0])
    assert "worker 1 (" not in str(found[0])
    assert "is missing" in str(found[0])
    (alone,) = all_meet(2, wait=0.5, came=[1])
    assert "worker 0 (localhost:" in str(alone)


@pytest.mark.parametrize(
    ("about", "named"),
    [
        ({**ABOUT, "settings": {"batch_size": 2, "seed": 0}}, "batch_size 2 there, 4 here"),
        ({**ABOUT, "software": {"keras": "4"}}, "other software than the chief"),
        ({"settings": ABOUT["settings"]}, "keras None there, '3' here"),
    ],
)
def test_one_that_was_started_otherwise_is_refused(about, named):
    found = all_meet(2, abouts={1: about})
    for error in found:
        assert isinstance(error, ValueError)
        assert named in str(error)
        assert "worker 1" in str(error)


def test_a_stranger_is_sent_away_and_a_second_start_counts():
    workers = tuple(f"localhost:{port}" for port in free_ports(2))
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        chief = pool.submit(meet, Cluster(workers, 0), ABOUT, 10.0, 60.0)
        host, port = workers[0].split(":")
        for sent in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 12, b""):
            until(lambda: not _refuses(host, int(port)))
            with socket.create_connection((host, int(port))) as stranger:
                stranger.sendall(sent)
        other = pool.submit(meet, Cluster(workers, 1), ABOUT, 10.0, 60.0)
        teams = chief.result(), other.result()
    for one in teams:
        assert isinstance(one, Team)
        one._links[0].close()


def _refuses(host, port):
    with socket.socket() as one:
        return one.connect_ex((host, port)) != 0


def test_a_port_that_is_in_use_is_named():
    with socket.socket() as door:
        door.bind(("", 0))
        door.listen()
        port = door.getsockname()[1]
        with pytest.raises(OSError, match=str(port)):
            meet(Cluster((f"localhost:{port}", "localhost:1"), 0), ABOUT, 1.0, 60.0)
