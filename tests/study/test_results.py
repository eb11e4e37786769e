"""Results of participants: what counts, and what is refused."""

import json

import pytest

from cyclegan_keras.study import results
from tests.study.conftest import always_left, is_fooled, knows


def test_choices_are_read(key, result, saved):
    (person,) = results.read([saved(result(knows))], key)
    assert person.counted == [False] * 40
    assert person.dropped == 0
    (person,) = results.read([saved(result(is_fooled))], key)
    assert person.counted == [True] * 40
    content = result(always_left)
    (person,) = results.read([saved(content)], key)
    assert person.lefts == [True] * 40
    scored = set(key.scored.values())
    assert person.counted == [trial["left"] in scored for trial in content["trials"]]
    assert 10 < sum(person.counted) < 30


@pytest.mark.parametrize(
    ("exposures", "kept"),
    [
        ((950, 1050), True),
        ((949.9, 1000), False),
        ((1000, 1050.1), False),
        ((1000, 0), False),
        ((5000, 1000), False),
    ],
)
def test_trials_off_by_more_than_50_ms_are_dropped(key, result, saved, exposures, kept):
    content = result(knows)
    content["trials"][7]["exposure_ms"] = list(exposures)
    (person,) = results.read([saved(content)], key)
    assert person.dropped == (0 if kept else 1)
    assert len(person.counted) == len(person.lefts) == (40 if kept else 39)


def test_trials_during_which_the_page_was_left_are_dropped(key, result, saved):
    content = result(knows)
    content["trials"][0]["left_page"] = True
    (person,) = results.read([saved(content)], key)
    assert (person.dropped, len(person.counted)) == (1, 39)


def test_the_order_of_files_does_not_matter(key, result, saved):
    paths = [saved(result(knows, name)) for name in "cab"]
    found = results.read(paths, key)
    assert [person.participant for person in found] == ["a", "b", "c"]
    assert results.read(paths[::-1], key) == found


def test_a_file_that_is_given_twice_is_refused(key, result, saved):
    one, other = saved(result(knows), "one"), saved(result(knows), "copy")
    for paths in ([one, one], [one, other]):
        with pytest.raises(ValueError, match="given once") as caught:
            results.read(paths, key)
        assert repr(str(paths[1])) in str(caught.value)


def test_results_of_another_study_are_refused(key, result, saved):
    content = result(knows)
    content["study"] = "another"
    with pytest.raises(ValueError, match="another study") as caught:
        results.read([saved(content)], key)
    assert "'another'" in str(caught.value)
    assert key.study in str(caught.value)


def trial(**values):
    def spoil(content):
        content["trials"][3].update(values)

    return spoil


def drop_one(content):
    content["trials"].pop()


def repeat_one(content):
    content["trials"].append(content["trials"][0])


def twice_for_another(content):
    content["trials"][1] = content["trials"][0]


def forget(name):
    return lambda content: content["trials"][3].pop(name)


def entry(**values):
    return lambda content: content.update(values)


@pytest.mark.parametrize(
    "spoil",
    [
        drop_one,
        repeat_one,
        twice_for_another,
        trial(left=0, right=79),
        trial(left=0, right=0),
        trial(left="0"),
        trial(left=True),
        trial(left=-1),
        trial(left=[0]),
        trial(chosen="middle"),
        trial(chosen=None),
        trial(chosen=["left"]),
        trial(exposure_ms=[1000]),
        trial(exposure_ms=1000),
        trial(exposure_ms=[1000, float("nan")]),
        trial(exposure_ms=[1000, -1]),
        trial(exposure_ms=[1000, "1000"]),
        trial(exposure_ms=[1000, 10**400]),
        trial(left_page="no"),
        forget("left_page"),
        forget("exposure_ms"),
        forget("chosen"),
        entry(trials=None),
        entry(trials=[1, 2]),
        entry(trials={}),
        entry(participant=""),
        entry(participant=7),
        entry(format="cyclegan study key"),
        entry(version="1"),
    ],
)
def test_damaged_results_are_refused(spoil, key, result, saved):
    content = result(knows)
    spoil(content)
    path = saved(content, "one")
    with pytest.raises(ValueError, match=r"one\.json'") as caught:
        results.read([path], key)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_what_was_cut_off_is_refused(key, result, tmp_path):
    path = tmp_path / "one.json"
    path.write_text(json.dumps(result(knows))[:-100], "utf-8")
    with pytest.raises(ValueError, match="not JSON"):
        results.read([path], key)
    with pytest.raises(FileNotFoundError, match="no result"):
        results.read([tmp_path / "none.json"], key)
    with pytest.raises(ValueError, match="no file"):
        results.read([tmp_path], key)
