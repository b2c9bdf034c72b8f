"""The folder of a report."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import lst_robust
from lst_robust.analysis.networks import collect_summaries
from lst_robust.errors import NothingToEvaluateError, UsageError
from lst_robust.records.store import Store
from lst_robust.report import figure_bytes, write_figure, write_report
from lst_robust.report.pictures import NAMES
from lst_robust.reporting import render, robustness_table
from lst_robust.reporting.figure_names import FIGURES
from tests.report.conftest import SOME, store_network

TITLES = (
    "CE of each corruption", "Clean error and robustness", "Error at each severity", "Differences to",
    "Is a network as often right", "Do the networks fail", "The same network, trained again",
)  # fmt: skip
CIFAR = Path(__file__).parents[2] / "results" / "published"


class Boards(HTMLParser):
    """The values of the leaderboards: {network: {quantity: (exact value, text)}}, without single trainings."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.quantities, self.rows, self._cells, self._value = [], {}, None, None
        self._name, self._in_name = "", False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "th" and "data-quantity" in found:
            self.quantities.append(found["data-quantity"])
        elif tag == "tbody" and found.get("data-name"):
            self._name = found["data-name"]
        elif tag == "tr":
            self._cells = [] if found.get("class") != "training" else None
        elif tag == "td" and "data-value" in found and self._cells is not None:
            self._value = (float(found["data-value"]), "")

    def handle_data(self, data):
        if self._value is not None and not self._value[1] and data.strip():
            self._value = (self._value[0], data.strip())

    def handle_endtag(self, tag):
        if tag == "td" and self._value is not None:
            self._cells.append(self._value)
            self._value = None
        elif tag == "tr" and self._cells and self._name:
            self.rows.setdefault(self._name, dict(zip(self.quantities, self._cells, strict=False)))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A report of the committed experiment."""
    folder = tmp_path_factory.mktemp("pages")
    index = write_report(folder, suite="cifar10-jpeg", results_dir=CIFAR, command="made by a test")
    assert index == folder / "index.html"
    return folder


def test_the_pages_numbers_are_those_of_the_table_to_the_digit(pages):
    summaries = collect_summaries(CIFAR, "cifar10-jpeg", "suite", fold_seeds=True)
    rows = list(csv.DictReader(io.StringIO(render(robustness_table(summaries), "csv"))))
    boards = Boards((pages / "index.html").read_text(encoding="utf-8"))
    assert boards.rows.keys() == {row["model"] for row in rows} and len(rows) == 6
    for row in rows:
        shown = boards.rows[row["model"]]
        assert {"mce15", "mce19", "clean_error", "mean_corruption_error", "relative_mce"} <= shown.keys()
        for quantity in boards.quantities:
            value, text = shown[quantity]
            assert round(value, 6) == pytest.approx(float(row[quantity]), abs=1e-9)
            assert text.split()[0] == f"{float(row[quantity]):.2f}"


def test_a_page_for_each_network_and_all_figures(pages):
    index = (pages / "index.html").read_text(encoding="utf-8")
    networks = sorted((pages / "networks").iterdir())
    assert len(networks) == 6 and all(f'href="networks/{page.name}"' in index for page in networks)
    for title in TITLES:
        assert title in index
    assert "made by a test" in index and len(index) < 3_000_000
    lst20 = next(page for page in networks if "-lst20-" in page.name and "relu" not in page.name).read_text()
    digests = [folder.name.rpartition("-")[2] for folder in (CIFAR / "cifar10-jpeg" / "lst20").iterdir()]
    for text in ("lst-robust eval -m lst20", "--checkpoint", "lst20-seed1-", "lst-robust train", *digests):
        assert text in lst20


@pytest.mark.slow
def test_pages_of_an_earlier_report_go_and_other_files_stay(results, tmp_path):
    write_report(tmp_path, results_dir=results)
    before = {page.name for page in (tmp_path / "networks").iterdir()}
    (tmp_path / "networks" / "own.html").write_text("mine")
    (tmp_path / "note.txt").write_text("mine")
    write_report(tmp_path, results_dir=results, models=["lst20"])
    after = {page.name for page in (tmp_path / "networks").iterdir()}
    assert len(before) == 3 and after == {"own.html", *(name for name in before if "lst20" in name)}
    assert (tmp_path / "note.txt").read_text() == "mine"


def test_examples_published_rows_and_changes_are_on_the_page(results, tmp_path):
    baseline = lst_robust.make_baseline(results_dir=results)
    write_report(
        tmp_path,
        results_dir=results,
        examples=True,
        published=["paper"],
        match=["*18*"],
        baseline=baseline,
        title="<Mine>",
    )
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "&lt;Mine&gt;" in page and "<Mine>" not in page
    assert "Of several trainings of a network the first answers." in page
    assert "data:image/png;base64," in page and "Published results" in page and "ResNet-18" in page
    assert page.index('id="changes"') < page.index("CE of each corruption")


def test_without_matplotlib_a_page_has_tables_and_says_why(results, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("lst_robust.report.gather.can_draw", lambda: False)
    write_report(tmp_path, results_dir=results)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "pip install &#39;lst-robust[report]&#39;" in page and "lst20" in page
    assert "matplotlib was not installed" in caplog.text


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"models": ["vgg*"]}, NothingToEvaluateError, "no records of 'vgg*'"),
        ({"reference": "vgg16"}, NothingToEvaluateError, "no network 'vgg16' to compare to: choose from lst20"),
        ({"suite": "no-such"}, UsageError, "no-such"),
        ({"examples": "yes"}, UsageError, "examples"),
        ({"baseline": 3}, UsageError, "baseline"),
        ({"observer": 3}, UsageError, "observer"),
        ({"title": ""}, UsageError, "title"),
    ],
)
def test_what_cannot_be_meant_is_one_line(results, tmp_path, options, error, text):
    with pytest.raises(error) as caught:
        write_report(tmp_path / "out", **{"results_dir": results, **options})
    assert text in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_that_is_a_file_is_refused_before_the_work(results, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file: give a folder for the pages"):
        write_report(tmp_path / "file", results_dir=results)
    with pytest.raises(UsageError, match="is a file: give a folder"):
        write_report(tmp_path / "file" / "below", results_dir=results)
    with pytest.raises(UsageError, match="choose another folder"):
        write_report(tmp_path / ("x" * 300), results_dir=results)


def test_a_page_that_is_somebodys_own_is_not_replaced(results, tmp_path):
    (tmp_path / "index.html").write_text("<title>mine</title>")
    with pytest.raises(UsageError, match=r"holds an index.html that is no report"):
        write_report(tmp_path, results_dir=results)
    assert (tmp_path / "index.html").read_text() == "<title>mine</title>"
    (tmp_path / "other" / "index.html").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"index.html there is no file"):
        write_report(tmp_path / "other", results_dir=results)


def test_records_that_cannot_be_trusted_are_named_on_the_page(tmp_path, digits):
    store = Store(tmp_path / "results")
    for name in ("lst20", "alexnet"):
        run = store_network(store, name, 0, {cell: np.arange(40) < 9 for cell in SOME}, digits.labels, "i" * 16)
    cut = next(store.run_folder(run).glob("fog-1.json"))
    cut.write_bytes(cut.read_bytes()[:50])
    page = write_report(tmp_path / "out", results_dir=tmp_path / "results").read_text(encoding="utf-8")
    assert "Warning: " in page and "fog-1.json" in page


def test_a_folder_is_made_only_when_there_is_something_to_write(tmp_path):
    with pytest.raises(NothingToEvaluateError):
        write_report(tmp_path / "out", results_dir=tmp_path / "nowhere")
    assert not (tmp_path / "out").exists()


def test_a_page_has_every_figure_that_can_be_asked_for():
    assert sorted(NAMES) == sorted(FIGURES)


@pytest.mark.parametrize(
    ("figure", "format"), [*((figure, "png") for figure in FIGURES), ("scatter", "pdf"), ("scatter", "svg")]
)
def test_every_figure_and_every_format(results, tmp_path, figure, format):
    file = write_figure(tmp_path / f"a.{format}", figure, results_dir=results)
    assert file.read_bytes()[:4] == {"pdf": b"%PDF", "svg": b"<?xm", "png": b"\x89PNG"}[format]
    assert figure_bytes(figure, format, results_dir=results) == file.read_bytes()


@pytest.mark.parametrize(
    ("figure", "options", "error", "text"),
    [
        ("pie", {}, UsageError, "figure"),
        ("curves", {"format": "gif"}, UsageError, "format"),
        ("curves", {"width": "wide"}, UsageError, "width"),
        ("forest", {"reference": "vgg16"}, NothingToEvaluateError, "no network 'vgg16'"),
        ("forest", {"models": ["lst20"]}, NothingToEvaluateError, "one network alone"),
        ("agreement", {"models": ["lst20"]}, NothingToEvaluateError, "one network alone"),
        ("seeds", {"models": ["alexnet"]}, NothingToEvaluateError, "no network has several trainings"),
    ],
)
def test_a_figure_that_cannot_be_drawn_is_one_line(results, tmp_path, figure, options, error, text):
    with pytest.raises(error) as caught:
        write_figure(tmp_path / "a.pdf", figure, **{"results_dir": results, **options})
    assert text in str(caught.value) and "\n" not in str(caught.value) and not (tmp_path / "a.pdf").exists()


def test_the_format_is_in_the_files_name_or_must_be_given(results, tmp_path):
    with pytest.raises(UsageError, match="format"):
        write_figure(tmp_path / "curves", "curves", results_dir=results)
    assert write_figure(tmp_path / "curves", "curves", format="png", results_dir=results).read_bytes()[1:4] == b"PNG"
