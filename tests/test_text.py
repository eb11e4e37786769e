import pytest

from cyclegan_keras._text import counted


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 epochs"), (1, "1 epoch"), (2, "2 epochs"), (12345, "12,345 epochs")],
)
def test_numbers_in_sentences(number, words):
    assert counted(number, "epoch") == words
