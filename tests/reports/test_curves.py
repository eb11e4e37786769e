import pytest

from cyclegan_keras.reports import curves
from cyclegan_keras.reports.curves import UNKNOWN, Curves


def test_a_history_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "history.csv"
    assert curves.read(path) == Curves()
    # Metrics are not measured at each step; a loss may be no number; the last row is being written,
    # and the 1 of its loss was to be another number.
    path.write_text(
        "epoch,step,seconds,g_loss,kernel_AB,cycle_A,extractor\n"
        "1,10,1.5,2.5,,,\n1,20,3,nan,0.125,9,eye\n2,30,4.5,1.25,,,\n2,40,6,1"
    )
    assert curves.read(path) == Curves(
        plain={"g_loss": ([10, 30], [2.5, 1.25]), "cycle_A": ([20], [9.0])},
        by_space={"eye": {"kernel_AB": ([20], [0.125])}},
        seconds={10: 1.5, 20: 3.0, 30: 4.5},
    )
    path.write_text("")
    assert curves.read(path) == Curves()


def test_metrics_of_two_feature_spaces_are_kept_apart(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(
        "step,kernel_AB,strength_BA,frechet_AB,diversity_BA,truth_AB,extractor\n"
        "1,0.5,0.25,9,1,30,eye\n2,0.25,0.5,8,1,20,ear\n3,0.125,0.75,7,1,10,ear\n4,2,1,6,1,5,\n"
    )
    found = curves.read(path)
    assert found.plain == {"truth_AB": ([1, 2, 3, 4], [30, 20, 10, 5])}
    assert list(found.by_space) == ["eye", "ear", UNKNOWN]
    assert found.by_space["eye"]["kernel_AB"] == ([1], [0.5])
    assert found.by_space["ear"]["strength_BA"] == ([2, 3], [0.5, 0.75])
    assert found.by_space[UNKNOWN]["frechet_AB"] == ([4], [6.0])


@pytest.mark.parametrize(
    "text",
    [
        b"step,g_loss\n1,many\n",
        b"epoch,g_loss\n1,2\n",
        b"step,g_loss\nx,2\n",
        b"step,g\n1,2,3\n",
        b"step,seconds\n1,x\n",
        b"step,g_loss\n1,\xff\n",
        b"step,g_loss\n1," + b"1" * 200_000 + b"\n",  # more than the csv module reads
    ],
    ids=["number", "column", "step", "cells", "seconds", "bytes", "length"],
)
def test_damage_is_told(text, tmp_path):
    path = tmp_path / "history.csv"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=r"history.csv' must be a table of numbers.*Received: "):
        curves.read(path)
