import pytest

from benchmarks import pages


def test_the_readme_has_the_seconds_of_the_benchmarks():
    text = pages.BENCHMARKS.read_text("utf-8")
    table = pages.between(text)
    assert pages.between(pages.README.read_text("utf-8")) == pages.seconds(table)


def test_seconds_by_hand():
    steps = "\n".join(
        [
            "|  | small | large |",
            "| --- | --- | --- |",
            "| seconds a step: cyclegan_keras | 0.1 | 0.2 |",
            "| seconds a step: the book's loop | 0.3 | – |",
            "| times as fast as the book's loop | 3 | – |",
        ]
    )
    assert pages.seconds(f"Measured.\n\n{steps}\n\n| | |\n") == (
        "|  | small | large |\n"
        "| --- | --- | --- |\n"
        "| cyclegan_keras | 0.1 | 0.2 |\n"
        "| the book's loop | 0.3 | – |\n"
    )


@pytest.mark.parametrize("text", ["one\n", "two\nlines\n"])
def test_what_is_between_the_marks_is_replaced_and_nothing_else(text, tmp_path):
    path = tmp_path / "page.md"
    path.write_text(f"before\n{pages.BEGIN}old\n{pages.END}\nafter\n", "utf-8")
    pages.replace(path, text)
    assert path.read_text("utf-8") == f"before\n{pages.BEGIN}{text}{pages.END}\nafter\n"
    assert pages.between(path.read_text("utf-8")) == text
