"""Figures of whole studies."""

import dataclasses
import json

import pytest

from cyclegan_keras.study import results, scores
from cyclegan_keras.study.results import Person
from tests.study.conftest import always_left, is_fooled, knows


def read(key, result, saved, *choosers):
    paths = [saved(result(choose, f"p{number:02}")) for number, choose in enumerate(choosers)]
    return results.read(paths, key)


def test_one_who_knows_and_one_who_answers_left(key, result, saved):
    found = scores.score(read(key, result, saved, knows))
    assert (found.rate.value, found.rate.high) == (0, 0)
    assert found.p_value == 2 / 2**40
    assert found.one_sided == []

    people = read(key, result, saved, always_left)
    found = scores.score(people)
    assert found.rate.value == sum(people[0].counted) / 40
    assert found.p_value > 0.05
    assert (found.left, found.left_p_value) == (1, 2 / 2**40)
    assert [(file.rpartition("/")[2], left) for file, left in found.one_sided] == [("p00.json", 1)]
    told = scores.warnings(found)
    assert any("p00.json' chose the left in 100%" in words for words in told)


def test_several_people(key, result, saved):
    found = scores.score(read(key, result, saved, knows, is_fooled, knows, knows))
    assert (found.rate.value, found.num_people, found.num_trials) == (0.25, 4, 160)
    assert found.rate.std == pytest.approx((0.25 * 0.75 / 4) ** 0.5, rel=0.03)
    lines = scores.summary(found, key)
    assert "apples, real or fake, A → B" in lines[0]
    assert "4, 160 trials, 0 dropped" in lines[1]
    assert lines[2].startswith("Fooled     25.0% ")
    assert f"({found.rate.low:.1%}"[1:] in lines[2]


@pytest.mark.parametrize(("count", "warned"), [(9, True), (10, False)])
def test_few_people(count, warned):
    people = [Person(f"{n}", f"{n}", [True, False], [True, False], 0) for n in range(count)]
    told = scores.warnings(scores.score(people))
    assert any("fewer than 10 people" in words for words in told) == warned
    assert len(told) == warned


def test_dropped_trials_are_counted():
    people = [
        Person("one.json", "1", [True, False, False], [True, False, True], 37),
        Person("two.json", "2", [], [], 40),
    ]
    found = scores.score(people)
    assert (found.num_people, found.num_trials, found.num_dropped) == (1, 3, 77)
    assert found.rate.value == pytest.approx(1 / 3)
    assert found.without_trials == ["two.json"]
    told = " ".join(scores.warnings(found))
    assert "77 trials dropped" in told
    assert "two.json" in told
    with pytest.raises(ValueError, match="No trial counts"):
        scores.score(people[1:])


def test_two_runs(key, result, saved):
    key = dataclasses.replace(key, kind="two runs", runs=("fast", "book"))
    found = scores.score(read(key, result, saved, is_fooled, is_fooled, knows, is_fooled))
    lines = scores.summary(found, key)
    assert "fast or book, A → B" in lines[0]
    assert lines[2].startswith("Preferred  75.0% chose fast")


def test_figures_as_json(key, result, saved):
    found = scores.score(read(key, result, saved, knows, always_left))
    content = json.loads(json.dumps(scores.as_json(found, key)))
    assert content["study"] == key.study
    assert content["rate"]["value"] == found.rate.value
    assert content["p_value"] == found.p_value
