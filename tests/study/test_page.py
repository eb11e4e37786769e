"""The page of a study: what it tells, and how it is played in a browser."""

import dataclasses
import json
import re

import numpy as np
import pytest

from cyclegan_keras.study import page, results, scores, sheets
from cyclegan_keras.study.dealing import Deal
from cyclegan_keras.study.page import Timing
from tests import browser
from tests.study import player
from tests.study.conftest import QUICK, material

DATA = re.compile(r'<script type="application/json" id="study">(.*?)</script>', re.S)


def data_in(text):
    return json.loads(DATA.search(text)[1])


def rendered(pairs, dealt, **values):
    return page.render("name", pairs, dealt, QUICK, None, **values)


def swapped(pairs):
    return dataclasses.replace(
        pairs, scored=pairs.other, other=pairs.scored, files=[(b, a) for a, b in pairs.files]
    )


def test_the_page_is_the_same_whichever_image_is_real():
    pairs = material(4)
    assert not np.array_equal(pairs.scored, pairs.other)
    scored, other = [5, 0, 3, 6], [1, 7, 2, 4]
    one = rendered(pairs, Deal(scored, other, [], [2, 0, 3, 1]))
    # The same images at the same places; what was real is now made, and trials are in other order.
    assert rendered(swapped(pairs), Deal(other, scored, [], [1, 2, 0, 3])) == one
    assert rendered(pairs, Deal(other, scored, [], [2, 0, 3, 1])) != one


def test_only_practice_tells_what_is_real():
    pairs = material(4)
    data = data_in(rendered(pairs, Deal([5, 0, 3, 6], [1, 7, 2, 4], [2, 0], [3, 1])))
    assert data.keys() == set(
        "study format version hasReal timing size pitch columns perSheet practice trials "
        "sheets".split()
    )
    assert data["practice"] == [{"pair": [2, 3], "real": 2}, {"pair": [1, 5], "real": 1}]
    assert data["trials"] == [[0, 7], [4, 6]]
    assert len(data["sheets"]) == 1


def test_no_names_are_in_the_page(quick_study):
    path, truth = quick_study
    text = path.read_text("utf-8")
    assert "hidden" in json.dumps(truth.about)
    # As an attribute and a property of HTML it may be there.
    assert not re.findall(
        r"hidden-\w+|small_fruit|AB\b", text.replace(data_in(text)["sheets"][0], "")
    )
    assert str(path.parent) not in text
    assert truth.study in text


def test_nothing_can_be_fetched_or_sent(quick_study):
    text = quick_study[0].read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[\w+/=]+';", policy)
    assert "unsafe-inline" not in policy.split("script-src")[1]
    assert not re.findall(r"(?:src|href)=[\"'](?!data:|#)", text)
    assert "http" not in DATA.sub("", text).replace("http-equiv", "")


def test_words_of_the_maker_are_text():
    subject = "</script><b>&oranges"
    text = page.render("name", material(1), Deal([0], [1], [], [0]), QUICK, subject)
    assert "&lt;/script&gt;&lt;b&gt;&amp;oranges" in text
    assert subject not in text


def test_times_are_those_of_the_papers():
    assert dataclasses.asdict(Timing()) == {
        "before": 900,
        "exposure": 1000,
        "between": 600,
        "answer": 100,
        "feedback": 2400,
    }


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser.opened(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def scored_by(tab, quick_study, choose, downloads):
    path, truth = quick_study
    downloads.mkdir()
    file = player.play(tab, path, choose, downloads)
    people = results.read([file], truth)
    assert people[0].dropped == 0
    return scores.score(people)


@pytest.mark.integration
def test_participants_in_a_browser(tab, quick_study, tmp_path):
    def knows(opened):
        """The dark image is made, so it chooses the light one."""
        levels = {side: player.level(opened, side) for side in ("left", "right")}
        assert sorted(level > 100 for level in levels.values()) == [False, True]
        return max(levels, key=levels.get)

    told = []

    def always_left(opened):
        told.append(opened.run("document.getElementById('count').textContent"))
        return "left"

    found = scored_by(tab, quick_study, knows, tmp_path / "knows")
    assert (found.rate.value, found.rate.std) == (0, 0)
    assert found.num_trials == 4

    found = scored_by(tab, quick_study, always_left, tmp_path / "left")
    assert found.left == 1
    assert told[:3] == ["Practice 1 of 1", "Pair 1 of 4", "Pair 2 of 4"]
    assert not player.asks_before_leaving(tab)
    assert tab.errors == []
    assert {address.split(":")[0] for address in tab.requests} == {"file"}
    assert all(address == quick_study[0].as_uri() for address in tab.requests)


@pytest.mark.integration
def test_a_result_says_what_was_seen(tab, quick_study, tmp_path):
    shots = []

    def look(opened):
        shots.append({side: player.level(opened, side) > 100 for side in ("left", "right")})
        return "right"

    path, truth = quick_study
    content = json.loads(player.play(tab, path, look, tmp_path).read_text("utf-8"))
    assert content["study"] == truth.study
    assert re.fullmatch("[0-9a-f]{16}", content["participant"])
    trials = content["trials"]
    assert {tuple(sorted((t["left"], t["right"]))) for t in trials} == truth.scored.keys()
    for trial, is_light in zip(trials, shots[1:], strict=True):
        scored = truth.scored[tuple(sorted((trial["left"], trial["right"])))]
        assert is_light == {side: trial[side] != scored for side in ("left", "right")}
        assert trial["chosen"] == "right"
        assert all(abs(time - QUICK.exposure) <= 50 for time in trial["exposure_ms"])
        assert trial["left_page"] is False


@pytest.mark.integration
def test_keys_count_only_when_asked_and_practice_tells_the_truth(tab, quick_study, tmp_path):
    player.begin(tab, quick_study[0])
    tab.press("ArrowLeft")  # Too early.
    tab.wait(player.ASKED)
    levels = {side: player.level(tab, side) for side in ("left", "right")}
    tab.press("ArrowRight")
    tab.wait("document.getElementById('truth-left').textContent")
    words = {
        side: tab.run(f"document.getElementById('truth-{side}').textContent") for side in levels
    }
    assert words == {
        side: "real" if level > 100 else "made by a computer" for side, level in levels.items()
    }
    told = tab.run("document.getElementById('question').textContent")
    assert told == ("Right." if levels["right"] > 100 else "Wrong.")
    assert player.asks_before_leaving(tab)
    player.finish(tab)


LEAVE = """new MutationObserver((_, watcher) => {
    watcher.disconnect();
    for (const hidden of [true, false]) {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }
}).observe(document.getElementById("image-right"), { attributes: true }), 0"""


@pytest.mark.integration
def test_an_image_that_is_not_seen_as_long_as_it_should_is_noticed(tab, quick_study, tmp_path):
    path, truth = quick_study
    busy = """new Promise((resolve) => {
        const canvas = document.getElementById("image-left");
        new MutationObserver((_, watcher) => {
            watcher.disconnect();
            const end = performance.now() + 300;
            while (performance.now() < end);
            resolve(canvas.className);
        }).observe(canvas, { attributes: true, attributeFilter: ["class"] });
    })"""
    held = []

    def choose(opened):
        if len(held) == 2:
            # During the next trial, the computer has something else to do.
            opened.run(f"window.held = {busy}, 0")
        if len(held) == 3:
            # During the next trial, another page is in front.
            opened.run(LEAVE)
        held.append(None)
        return "left"

    file = player.play(tab, path, choose, tmp_path)
    (person,) = results.read([file], truth)
    assert person.dropped == 2
    assert len(person.counted) == 2


@pytest.mark.integration
def test_two_runs_are_shown_beside_examples(tab, tmp_path, monkeypatch):
    # In two sheets, of images that end within a block of JPEG.
    monkeypatch.setattr(sheets, "PER_SHEET", 4)
    monkeypatch.setattr(sheets, "COLUMNS", 2)
    dealt = Deal([0, 4, 3], [1, 2, 5], [], [1])
    levels = np.arange(0, 240, 40, np.uint8).reshape(2, 3, 1, 1, 1) * np.ones((15, 20, 3), np.uint8)
    pairs = dataclasses.replace(material(3, has_real=False), scored=levels[0], other=levels[1])
    text = page.render("name", pairs, dealt, QUICK, "oranges")
    assert len(data_in(text)["sheets"]) == 2
    path = tmp_path / "two.html"
    path.write_text(text, "utf-8")
    assert data_in(text)["practice"] == []
    player.begin(tab, path)
    assert tab.run("document.querySelectorAll('.examples img').length") == 2
    tab.wait(player.ASKED)
    told = tab.run("document.getElementById('question').textContent")
    assert told == "Which one looks more real?"
    seen = [player.level(tab, side) for side in ("left", "right")]
    assert sorted(seen) == pytest.approx([40, 160], abs=1)
    assert tab.run("document.getElementById('image-left').height") == 288
    player.finish(tab)


@pytest.mark.integration
def test_sides_and_orders_are_random(tab, tmp_path):
    pairs = material(24)
    dealt = Deal([*range(0, 48, 2)], [*range(1, 48, 2)], [], [*range(24)])
    quick = Timing(before=0, exposure=10, between=0, answer=0)
    path = tmp_path / "study.html"
    path.write_text(page.render("name", pairs, dealt, quick, None), "utf-8")
    tab.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    player.begin(tab, path)
    tab.run(
        """setInterval(() => document.dispatchEvent(
            new KeyboardEvent("keydown", { key: "ArrowLeft" })), 5), 0"""
    )
    tab.wait(player.DONE)
    trials = json.loads(player.saved(tmp_path, set()).read_text("utf-8"))["trials"]
    assert len(trials) == 24
    # By chance, either would be wrong once in eight million times.
    assert {trial["left"] < trial["right"] for trial in trials} == {True, False}
    assert trials != sorted(trials, key=lambda trial: min(trial["left"], trial["right"]))


@pytest.mark.integration
def test_a_page_that_cannot_be_shown_says_so(tab, quick_study, tmp_path):
    text = quick_study[0].read_text("utf-8")
    path = tmp_path / "broken.html"
    sheet = data_in(text)["sheets"][0]
    path.write_text(text.replace(sheet, "data:image/jpeg;base64,AAAA"), "utf-8")
    tab.open(path.as_uri())
    tab.wait("!document.getElementById('failure').hidden")
    tab.errors.clear()


@pytest.mark.slow
def test_exposures_at_the_times_of_the_papers(tab, tmp_path):
    dealt = Deal([0, 3, 5, 6], [1, 2, 4, 7], [], [0, 1, 2, 3])
    path = tmp_path / "study.html"
    path.write_text(page.render("name", material(4), dealt, Timing(), None), "utf-8")
    content = json.loads(player.play(tab, path, lambda _: "left", tmp_path).read_text("utf-8"))
    times = [time for trial in content["trials"] for time in trial["exposure_ms"]]
    assert len(times) == 8
    assert max(abs(time - 1000) for time in times) <= 50
