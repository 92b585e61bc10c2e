"""From figures to the document: tables, plots, and the part between the marks."""

from xml.etree import ElementTree

import pytest

from benchmarks import report
from benchmarks.plot import bars
from benchmarks.report import BEGIN, DOCUMENT, END, document, inserted, plots
from benchmarks.results import Results, Sample, Trouble, read
from benchmarks.tables import short
from tests.benchmarks.examples import results, rounds

CASE = "4 KiB, 20 new"
_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(name="found")
def _found() -> Results:
    return results(
        *rounds(CASE, "mailsuite", "cpu", 300.0, 200.0, 250.0),
        *rounds(CASE, "postfix", "cpu", 1000.0, 1000.0, 1000.0),
        *rounds("4 KiB, 1 new", "mailsuite", "cpu", 500.0),
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.00042, "4.2e-04"), (0.25, "0.25"), (2.345, "2.35"), (99.94, "99.9"), (12345.6, "12,346")],
)
def test_three_digits_count(value: float, text: str) -> None:
    """More would say that they mean something."""
    assert short(value) == text


def test_the_document_has_the_table(found: Results) -> None:
    """A line for each case and figure: medians, then the ratio with its spread."""
    lines = [" ".join(line.split()) for line in document(found).splitlines()]
    assert f"{CASE} CPU, us 250 1,000 postfix 0.25 (0.2 to 0.3)" in lines
    assert "4 KiB, 1 new CPU, us 500 - - -" in lines


def test_columns_stand_below_each_other(found: Results) -> None:
    """A simple table of reStructuredText is malformed otherwise."""
    lines = document(found).splitlines()
    rules = [line for line in lines if line.startswith("==")]
    end = len(lines) - 1 - lines[::-1].index(rules[-1])
    for row in lines[end - 4 : end]:
        gaps = [at for at, sign in enumerate(rules[-1]) if sign == " "]
        assert all(at >= len(row) or row[at] == " " for at in gaps)


def test_it_tells_what_was_not_measured(found: Results) -> None:
    """In one line, whatever a server said; nothing in it is markup."""
    found.troubles.append(Trouble("inbound", CASE, "exim", 0, "it said:\n*`nothing`*"))
    assert r"- inbound, 4 KiB, 20 new, exim: it said: \*'nothing'\*" in document(found)


def test_a_run_that_was_cut_short_says_so(found: Results) -> None:
    """Its medians are of fewer rounds."""
    assert "cut short" in document(found)
    found.complete = True
    assert "cut short" not in document(found)


def test_only_what_is_between_the_marks_is_made() -> None:
    """What people have written stays."""
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert inserted(text, "new") == f"before\n{BEGIN}\n\nnew\n{END}\nafter\n"
    assert inserted(inserted(text, "other"), "new") == inserted(text, "new")


def test_a_document_without_marks_is_left_alone() -> None:
    """There is no telling what to replace."""
    with pytest.raises(ValueError, match="marks"):
        inserted("before\nafter\n", "new")


def test_bars_are_as_long_as_what_they_tell(found: Results) -> None:
    """In each group the longest has the whole width."""
    root = ElementTree.fromstring(bars(found, "inbound", "cpu", "CPU <us>"))
    whole, *rectangles = root.findall(f"{_SVG}rect")
    _, _, ours, theirs, alone = (int(each.attrib["width"]) for each in rectangles)
    assert ours / theirs == pytest.approx(0.25, abs=0.01)
    assert alone == theirs < int(whole.attrib["width"])
    texts = [each.text for each in root.iter(f"{_SVG}text")]
    assert [text for text in texts if text in ("250", "1,000", "500")] == ["250", "1,000", "500"]


def test_there_is_no_plot_of_nothing(found: Results) -> None:
    """Of workloads that did not run, and of figures that they do not have."""
    assert bars(found, "inbound", "rate", "rate") == ""
    assert [name for name, _ in plots(found)] == ["inbound-cpu.svg"]


def test_a_value_of_nothing_has_a_bar() -> None:
    """A run so short that the clock saw no CPU."""
    found = results(Sample("inbound", CASE, "mailsuite", 0, {"cpu": 0.0}))
    assert bars(found, "inbound", "cpu", "CPU")


def test_the_document_shows_the_figures_that_are_kept() -> None:
    """``docs/performance.rst`` is what ``python -m benchmarks.report docs/figures/figures.json`` makes of them."""
    kept = report.FIGURES / "figures.json"
    text = DOCUMENT.read_text()
    made = document(read(kept)) if kept.exists() else report.NONE_YET
    assert inserted(text, made) == text
    if kept.exists():
        for name, svg in plots(read(kept)):
            assert (report.FIGURES / name).read_text() == svg
