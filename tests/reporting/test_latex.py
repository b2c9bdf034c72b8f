"""A LaTeX table: what it says, and that a TeX engine makes a page of it, alone and inside of a paper."""

from __future__ import annotations

import os
import re
import shutil
import string
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from lst_robust.analysis.networks import collect_summaries
from lst_robust.errors import one_line
from lst_robust.reporting import latex as module
from lst_robust.reporting import render, robustness_table
from lst_robust.reporting.escaping import latex
from lst_robust.reporting.seeds import seed_notes
from tests.reporting.hostile import HOSTILE

ENGINE = next((found for name in ("pdflatex", "tectonic", "lualatex") if (found := shutil.which(name))), None)
RESULTS = Path(__file__).resolve().parents[2] / "results" / "published"
INTERVALS = {"mce19": [97.04, 101.06], "mce15": [95.0, 99.5], "clean_error": [3.5, 4.5], "ce": {}}
WIDER = 1.0  # points by which a line may be wider than its page
PAPER = r"""\documentclass[twocolumn]{article}
\usepackage{booktabs,graphicx}
\begin{document}
Before. \input{table} After. \input{table} The end.
\listoftables
\end{document}
"""

needs_tex = pytest.mark.skipif(ENGINE is None, reason="no pdflatex, tectonic or lualatex here")


def typeset(tex: Path) -> str:
    """The log of one run of the engine; the PDF lies beside the file."""
    command = [str(ENGINE), *([] if "tectonic" in str(ENGINE) else ["-interaction=nonstopmode", "-halt-on-error"])]
    fonts = {"TEXMFVAR": str(tex.parent / "texmf-var")}  # where TeX keeps fonts that it has drawn
    done = subprocess.run(
        [*command, tex.name], cwd=tex.parent, capture_output=True, timeout=120, env={**os.environ, **fonts}
    )
    log = done.stdout.decode(errors="replace")
    assert done.returncode == 0, log[-3000:]
    too_wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert max(too_wide, default=0) <= WIDER, log
    assert not re.search(r"Float too large|Overfull \\vbox|Missing character", log), log
    return log


def words_of(pdf: Path) -> str | None:
    """The text of a PDF without spaces and underscores, which TeX draws as lines; None without pdftotext."""
    if (tool := shutil.which("pdftotext")) is None:
        return None
    return joined(subprocess.run([tool, "-raw", str(pdf), "-"], capture_output=True, check=True).stdout.decode())


def joined(text: str) -> str:
    shown = unicodedata.normalize("NFKC", text.translate({0x2019: "'", 0x02DC: "~", 0x02C6: "^"}))
    return re.sub(r"[\s_]|\u0303|\u0302", "", shown)


def results(make: Any, names: tuple[str, ...]) -> list[dict]:
    return [make(name, 40 + index / 4, intervals=INTERVALS) for index, name in enumerate(names)]


@pytest.fixture
def table(result):
    return robustness_table(results(result, ("alexnet", "lst_18")), paper=True)


def test_the_layout_is_that_of_the_paper(table):
    text = render(table, "latex", notes=["a note & more"])
    assert text.isascii() and text.count(r"\begin{table*}") == 2 == text.count(r"\end{tabular}}")
    assert r"\multicolumn{3}{c}{Noise} & \multicolumn{4}{c}{Blur}" in text and r"\cmidrule(lr){2-3}" in text
    assert r"\multicolumn{1}{c}{\rotatebox{90}{Gauss.\,}}" in text
    ours, paper = text.split(r"\begin{table*}")[1:]
    first = ours.split(r"\midrule")[1].splitlines()[1]
    assert first.startswith(r"alexnet & \textbf{99.00} & \textbf{97.00} & \textbf{4.00} & \textbf{51.00}")
    assert first.endswith(r"\\[-3pt]") and first.count("&") == 24
    assert r"lst\_18 & 99.25 &" in ours and f"{{{module.SMALL}97.0--101.1}} & {{{module.SMALL}95.0--99.5}}" in ours
    assert r"a note \& more" in paper and "a note" not in ours
    assert [line.count("&") for line in paper.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()] == [
        20
    ] * 10


def test_the_first_lines_say_how_it_is_used(table):
    comments = [line for line in render(table, "latex").splitlines()[:7] if line.startswith("%")]
    assert "compiles as it stands: pdflatex" in comments[1] and r"\usepackage{booktabs,graphicx}" in comments[2]
    body = render(table, "latex").split(module.BEGIN)[1].split(module.END)[0]
    assert "document" not in body and body.count(r"\begin{table*}") == 2


def test_a_spread_stands_beside_its_mean(result, monkeypatch):
    def folded(group: Any, bold: str, interval: str) -> Any:
        text = formatted(group, bold, interval)
        text.iloc[0, 0] = bold.format("97.0 ± 3.4")
        text.iloc[1, 0] = "–"
        return text

    formatted = module.formatted
    monkeypatch.setattr(module, "formatted", folded)
    text = render(robustness_table([result("a", 40), result("b", 50)]), "latex")
    assert r"\begin{tabular}{@{}lr@{}lr" in text and r"\multicolumn{3}{c}{mCE}" in text
    assert r"a & \textbf{97.0} & \,$\pm$\,3.4 & \textbf{97.00}" in text and "b & -- &  & 107.00" in text


def test_many_rows_go_on_in_further_tables(result):
    names = tuple(f"net{index}" for index in range(80))
    text = render(robustness_table(results(result, names)), "latex", notes=["the last"])
    parts = text.split(r"\begin{table*}")[1:]
    assert len(parts) == len(re.findall(rf"\(part \d of {len(parts)}\)", text)) > 2
    assert re.findall(r"^net\d+", text, re.MULTILINE) == list(names)
    assert ["the last" in part for part in parts] == [False] * (len(parts) - 1) + [True]


@needs_tex
@pytest.mark.parametrize("folder", ["cifar10-jpeg", "imagenet-sample"])
def test_measured_results_fit_a_page(folder, tmp_path):
    root = RESULTS if folder == "cifar10-jpeg" else RESULTS / folder
    summaries = collect_summaries(root, "cifar10-jpeg" if folder == "cifar10-jpeg" else None, "suite")
    tex = tmp_path / "table.tex"
    tex.write_text(render(robustness_table(summaries), "latex", notes=seed_notes(summaries)))
    typeset(tex)
    text = words_of(tex.with_suffix(".pdf"))
    for summary in summaries:
        assert text is None or joined(summary.label) in text


@needs_tex
@pytest.mark.parametrize("published", ["paper", "testbed", "hendrycks"])
def test_published_results_fit_their_pages(published, tmp_path):
    table = robustness_table([], published=[published])
    tex = tmp_path / "table.tex"
    tex.write_text(render(table, "latex"))
    typeset(tex)
    text = words_of(tex.with_suffix(".pdf"))
    assert text is None or all(joined(name) in text for name in table.index.get_level_values("model"))


@needs_tex
def test_names_are_typeset_as_text(result, tmp_path):
    tex = tmp_path / "table.tex"
    tex.write_text(
        render(robustness_table(results(result, HOSTILE)), "latex", notes=[f"a note of {n}" for n in HOSTILE[:9]])
    )
    typeset(tex)
    text = words_of(tex.with_suffix(".pdf"))
    for name in HOSTILE if text is not None else ():
        if (shown := one_line(name)).isascii():
            assert joined(shown) in text, name


@needs_tex
def test_a_name_may_be_any_part_of_the_protocol(result, tmp_path):
    for index, name in enumerate(HOSTILE[::9]):
        tex = tmp_path / f"table{index}.tex"
        tex.write_text(render(robustness_table([result("net", suite=name, normaliser=name, preset=name)]), "latex"))
        typeset(tex)


@needs_tex
def test_every_letter_and_every_pair_of_signs_is_typeset(tmp_path):
    blocks = (range(0x20, 0x500), range(0x1E00, 0x2000), range(0x2010, 0x2300), range(0x1F300, 0x1F320))
    letters = [chr(code) for block in blocks for code in block]
    pairs = [first + second for first in string.punctuation for second in string.punctuation]
    tex = tmp_path / "all.tex"
    rows = " \\\\\n".join(latex(" ".join(pairs[start : start + 32])) for start in range(0, len(pairs), 32))
    tex.write_text(
        "\\documentclass{article}\\begin{document}\\raggedright\\pagestyle{empty}\n\\ifdefined\\pdfgentounicode\\input{glyphtounicode}"
        f"\\pdfgentounicode=1\\fi\n{latex(' '.join(letters))}\n\n{rows}\n\\end{{document}}\n"
    )
    typeset(tex)
    text = words_of(tex.with_suffix(".pdf"))
    assert text is None or joined(" ".join(pairs)) in text


@needs_tex
def test_a_paper_can_read_it(result, tmp_path):
    names = ("alexnet", "timm:vit_base_patch16_clip_224.openai_ft_in12k_in1k", *HOSTILE[:3])
    (tmp_path / "table.tex").write_text(render(robustness_table(results(result, names), paper=True), "latex"))
    paper = tmp_path / "paper.tex"
    paper.write_text(PAPER)
    typeset(paper)
    typeset(paper)  # now with its list of tables
    text = words_of(paper.with_suffix(".pdf"))
    assert text is None or (text.count("alexnet") >= 2 and "Theend." in text and "ListofTables" in text)
