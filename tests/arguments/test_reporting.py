"""Arguments of robustness_table and render: each mistake is one line with the argument's name."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

import lst_robust
from tests.fixtures.refusals import WRONG_FLAGS, WRONG_NORMALISERS, refusal


def test_tables_are_made_of_summaries(plain):
    summary = plain.summary()
    for wrong in (summary, "x", 3, None, [3], [None], [{}], [plain]):
        assert "results" in refusal(lst_robust.robustness_table, wrong)
    for flag, wrong in itertools.product(("paper", "intervals", "calibration"), WRONG_FLAGS):
        assert flag in refusal(lst_robust.robustness_table, [summary], **{flag: wrong})
    table = lst_robust.robustness_table(iter([summary]), paper=np.True_)
    assert len(table) > 1
    for wrong in (None, summary, [summary], pd.DataFrame()):
        assert "table" in refusal(lst_robust.render, wrong, "md")
    for wrong in (None, 3, ["md"], "xml", b"md"):
        assert "format" in refusal(lst_robust.render, table, wrong)
    for wrong in ("note", 3, [3], None):
        assert "notes" in refusal(lst_robust.render, table, "md", notes=wrong)
    assert "- note" in lst_robust.render(table, np.str_("md"), notes=(note for note in ["note"]))


def published_table(published, **options) -> pd.DataFrame:
    return lst_robust.robustness_table([], published=published, **options)


def test_published_rows_are_chosen_by_names():
    for function in (lst_robust.published_results, published_table):
        for wrong in ("testbed", 3, None, ["x"], [3], {"testbed": 1}, [["testbed"]], np.array(3)):
            assert "published" in refusal(function, wrong)
        for wrong in ("resnet*", 3, None, [3], [""], ["none of them"]):
            assert "match" in refusal(function, ["testbed"], match=wrong)
        assert "match" in refusal(function, [], match=["resnet18"])
        for wrong in WRONG_NORMALISERS:
            refusal(function, ["testbed"], normaliser=wrong)
        assert len(function(np.array(["hendrycks"]), match=(name for name in ["alex*"]))) == 1
