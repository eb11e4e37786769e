import pytest

from cyclegan_keras.reports import ablation
from cyclegan_keras.reports.ablation import Entry, Section, tables
from tests import browser

REAL = {"accuracy_A": 0.75, "accuracy_B": 1.0, "kernel_untranslated": 0.5, "kernel_real_B": 0.01}
ONE = Entry(
    "one",
    {"change_AB": 1.0, "truth_AB": 4.0, "truth_untranslated": 9.0, "cycle_A": 2.0},
    {"net 0": {**REAL, "kernel_AB": 0.125, "strength_AB": 0.5}},
    steps=1200,
    batch_size=1,
    seconds=90.0,
)
OTHER = Entry(
    "other",
    {"change_AB": 1.0, "change_BA": 1.0, "truth_AB": 3.0, "truth_BA": 5.0, "inversion_AB": 7.0},
    {"net 0": {**REAL, "kernel_AB": 0.25, "kernel_BA": 0.3, "strength_AB": 0.5}},
    batch_size=16,
)


def test_a_table_for_each_direction():
    there, back = tables([ONE, OTHER])
    assert (there.title, back.title) == ("A → B", "B → A")
    assert there.header == [
        *("trained with", "error", "KID, net 0", "rate, net 0", "cycle error", "inversion error"),
        *("steps", "images a step", "minutes"),
    ]
    assert there.rows == [
        # A quarter of real A looks like B to the classifier.
        ["(untranslated)", "9.00", "0.5000", "25%", "", "", "", "", ""],
        ["(real images)", "", "0.0100", "100%", "", "", "", "", ""],
        ["one", "4.00", "0.1250", "50%", "2.00", "", "1,200", "1", "1.5"],
        ["other", "3.00", "0.2500", "50%", "", "7.00", "", "16", ""],
    ]
    # Equal values, and one that stands alone, are not the best.
    assert there.best == [set(), set(), {2}, {1}]
    assert [row[0] for row in back.rows] == ["(untranslated)", "other"]
    assert "Lower is better." in dict(there.meanings)["error"]


def test_segmentation_scores_have_the_score_of_real_photos_beside_them():
    scores = {"class_iou_AB": 0.2, "seg_class_iou_AB": 0.3, "seg_class_iou_real_B": 0.6}
    (table,) = tables([Entry("one", {"change_AB": 1.0, **scores})])
    assert table.header[1:3] == ["class IoU", "class IoU of photos"]
    assert table.rows == [
        ["(real images)", "", "60%", "", "", ""],
        ["one", "20%", "30%", "", "1", ""],
    ]


def test_the_same_as_text_and_as_a_page(tmp_path):
    sheet = {"title": "A → B", "columns": ["A"], "rows": []}
    sections = [Section("9 steps <each>", [ONE, OTHER], ["Mind this."], [sheet])]
    text = ablation.markdown(sections)
    lines = text.splitlines()
    assert "## A → B, 9 steps <each>" in lines
    assert "Mind this." in lines
    one = next(line for line in lines if line.startswith("| one"))
    assert [cell.strip() for cell in one.split("|")[2:4]] == ["4.00", "**0.1250**"]
    ablation.write(tmp_path / "page.html", "my <set>", sections)
    page = (tmp_path / "page.html").read_text()
    assert "my &lt;set&gt;" in page
    assert "9 steps &lt;each&gt;" in page
    assert '<td class="best">0.1250 best</td>' in page
    assert "Mind this." in page


@pytest.mark.integration
@pytest.mark.parametrize("width", [400, 1000])
def test_no_number_is_broken_over_two_lines(tmp_path, width):
    ablation.write(tmp_path / "page.html", "set", [Section("steps", [ONE, OTHER], [], [])])
    with browser.opened(tmp_path / "profile") as page:
        page.resize(width, 800)
        page.open((tmp_path / "page.html").as_uri())
        lines = page.run(
            """[...document.querySelectorAll("td")].map((cell) => {
              const range = document.createRange();
              range.selectNodeContents(cell);
              return [cell.textContent.split(" ")[0], range.getClientRects().length];
            })"""
        )
    assert ["0.1250", 2] in lines  # with "best" below it
    assert {number: count for number, count in lines if count > 1} == {"0.1250": 2, "3.00": 2}


@pytest.mark.parametrize("entries", [[], [Entry("one", {})]])
def test_nothing_is_no_table(entries):
    assert tables(entries) == []
