"""The table: what stands in which row and column, and that only comparable rows are compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lst_robust.analysis import metrics
from lst_robust.analysis.metrics import METRICS
from lst_robust.analysis.normalisers import known_normaliser
from lst_robust.analysis.published import published_results
from lst_robust.analysis.summary import Summary, summarise
from lst_robust.benchmark import CORRUPTIONS
from lst_robust.errors import UsageError
from lst_robust.reporting import render
from lst_robust.reporting.tables import best, decimals, groups, robustness_table
from tests.analysis.simulated import ALL_CELLS, HALF, measured


def test_a_row_holds_the_numbers_of_its_result(result):
    table = robustness_table([result("lst18", 40), result("resnet18", 50)])
    row = table.xs("resnet18", level="model").iloc[0]
    assert row["mCE"].tolist() == [109, 107]
    assert row["Error"].tolist() == [5, 61]
    assert row["Relative", "relative_mce"] == 120
    assert row["Blur"].tolist() == [103, 104, 105, 106]  # CE
    assert table.index.get_level_values("model").tolist() == ["lst18", "resnet18"]


CALIBRATED = {
    "clean_top5_error": 1.0, "mean_top5_error": 20.0, "clean_ece": 2.0, "mean_ece": 12.5, "clean_brier": 0.1234,
    "mean_brier": 0.75,
}  # fmt: skip


def test_calibration_has_columns_on_demand(result):
    results = [result("a", 40, calibration=CALIBRATED), result("b", 50)]  # b: records of an older schema
    assert "ECE" not in robustness_table(results).columns.get_level_values("group")
    (group,) = groups(robustness_table(results, calibration=True))
    assert group.frame.loc["a", "ECE"].tolist() == [2.0, 12.5]
    assert group.frame.loc["a", "Top-5"].tolist() == [1.0, 20.0]
    assert group.frame.loc["b", ["Top-5", "ECE", "Brier"]].isna().all()
    assert decimals(group, "clean_brier") == 3
    assert any("Brier scores go from 0 to 2" in note for note in group.notes)


def test_calibration_over_fewer_cells_than_others_have_is_not_shown(result):
    results = [result("a", 40, missing=("fog",), calibration=CALIBRATED), result("b", 50, calibration=CALIBRATED)]
    table = robustness_table(results, calibration=True)
    assert table["ECE", "mean_ece"].isna().tolist() == [True, False]
    assert table["ECE", "clean_ece"].tolist() == [2.0, 2.0]


def test_the_lowest_value_is_best_and_ties_as_printed_share_it(result):
    first, second, third = result("a", 40), result("b", 50), result("c", 60)
    first["ce"]["snow"], second["ce"]["snow"], third["ce"]["snow"] = 80.04, 79.96, 80.06
    third["clean_error"] = 0.0
    marks = best(groups(robustness_table([first, second, third]))[0])
    assert marks["Weather", "snow"].tolist() == [True, True, False]
    assert marks["Error", "clean_error"].tolist() == [False, False, True]
    assert marks["mCE", "mce19"].tolist() == [True, False, False]


def test_missing_cells_are_no_zeros_and_are_not_best(result):
    (group,) = groups(robustness_table([result("a", 40, missing=("fog",)), result("b", 50), result("c", 60)]))
    assert pd.isna(group.frame.loc["a", ("Weather", "fog")]) and pd.isna(group.frame.loc["a", ("mCE", "mce19")])
    marks = best(group)
    assert marks["Weather", "fog"].tolist() == marks["mCE", "mce19"].tolist() == [False, True, False]
    assert any("not measured yet" in note for note in group.notes)


@pytest.mark.parametrize("name", ["alexnet-imagenet-c", "alexnet-digits-c", "mine"])
def test_two_normalisers_of_one_name_do_not_rank_together(name):
    found = measured("a", {cell: np.arange(50) < 20 for cell in ALL_CELLS})
    divisors = [HALF.model_copy(update={"name": name, "clean_error": error}) for error in (10.0, 20.0)]
    known = known_normaliser(name, "digits-c")
    summaries = [summarise(found.run, found.records, one) for one in [*divisors, *([known] if known else [])]]
    read = [Summary.from_dict(summary.to_dict()) for summary in summaries]
    captions = [group.caption for group in groups(robustness_table(read))]
    stated = [f"CE against {name} ({divisor.digest()})" for divisor in divisors] + [f"CE against {name}"] * bool(known)
    assert [caption.rpartition(" · ")[2] for caption in captions] == stated


def test_a_mean_over_fewer_cells_than_others_have_is_not_shown(result):
    table = robustness_table([result("a", 40, missing=("fog",)), result("b", 50), result("c", 30, suite="other")])
    means = table["Error", "mean_corruption_error"]
    assert means.isna().tolist() == [True, False, False]
    alone = robustness_table([result("a", 40, missing=("fog",))])["Error", "mean_corruption_error"]
    assert alone.tolist() == [51]


def test_a_summary_and_its_json_give_the_same_row(result):
    assert robustness_table([Summary.from_dict(result())]).equals(robustness_table([result()]))


def test_a_short_row_lacks_its_last_severities(result):
    data = result("a", 40)
    short = {**data, "errors": {**data["errors"], "rain": [10.0, 20.0]}}
    assert robustness_table([short]).xs("rain", axis=1, level="quantity").isna().all(axis=None)


def test_keys_of_later_releases_may_be_absent_and_others_not(result):
    early = result("a", 40)
    assert "intervals" not in early and "calibration" not in early and "pixels" not in early
    (group,) = groups(robustness_table([early], calibration=True))
    assert group.frame.shape == (1, 24)
    del early["suite_version"]
    with pytest.raises(UsageError) as caught:
        robustness_table([result(), early])
    assert str(caught.value) == (
        "results[1] is not the JSON of lst-robust eval --json (protocol.suite_version: Field required)"
    )


def own(result, **rows):
    return result | {"errors": result["errors"] | rows}


def test_a_corruption_of_ones_own_has_a_column_where_a_result_has_it(result):
    assert "my_fog" not in robustness_table([result()]).columns.get_level_values("quantity")
    first = own(result("a", 40), my_fog=[1.0, 2.0, 3.0, 4.0, 5.0])
    (group,) = groups(robustness_table([first, result("b", 50)]))
    assert group.frame["Own", "my_fog"].tolist()[0] == 3 and pd.isna(group.frame["Own", "my_fog"].iloc[1])
    assert group.frame["Error", "mean_corruption_error"].tolist() == [51, 61]  # which are over the 19
    assert "Mean top-1 errors over the severities, no CE: My fog." in group.notes
    for format in ("csv", "md", "latex", "html"):
        assert "My fog" in render(robustness_table([first]), format) or format == "csv"


@pytest.mark.parametrize("format", ["csv", "md"])
def test_a_corruption_from_elsewhere_takes_the_place_of_no_column(result, caplog, format):
    """Such a name cannot be registered here any more, but records of elsewhere may have it."""
    of_elsewhere = ["contrast_low", "contrast_high", "fog_sd", "style", "seed", "model", "mce15", "clean_error"]
    first = own(result("a", 40), **{name: [1.0] * 5 for name in of_elsewhere})
    assert render(robustness_table([first]), format) == render(robustness_table([result("a", 40)]), format)
    assert len(caplog.messages) == len(of_elsewhere)
    assert "the corruption 'fog_sd' is not in the table, because its name means another column" in caplog.text


def test_a_mean_over_fewer_severities_of_a_corruption_is_not_shown_either(result):
    """Two interrupted runs: the one that came further is worse in each cell that both have."""
    further, other = result("further", 40, normaliser=None), result("other", 30, normaliser=None)
    for one, severities in ((further, 2), (other, 0)):
        kept = {"gaussian_noise": 5, "shot_noise": severities}
        one["errors"] = {
            name: row[: kept.get(name, 0)] + [None] * (5 - kept.get(name, 0)) for name, row in one["errors"].items()
        }
    further["mean_corruption_error"] = 25.0
    (group,) = groups(robustness_table([further, other]))
    assert group.frame["Error", "mean_corruption_error"].isna().tolist() == [False, True]
    assert best(group)["Noise", "gaussian_noise"].tolist() == [False, True]
    assert not best(group)["Error", "mean_corruption_error"].any()


def test_where_higher_is_better_the_highest_is_best(result, monkeypatch):
    monkeypatch.setitem(metrics._metrics, "higher", replace(METRICS["mce15"], name="higher", lower_is_better=False))
    (group,) = groups(robustness_table([result("a", 40, higher=1.0), result("b", 50, higher=2.0)]))
    marks = best(group)
    assert marks["mCE", "higher"].tolist() == [False, True] and marks["mCE", "mce15"].tolist() == [True, False]
    assert "Higher is better: mCE 15." in group.notes


def test_without_a_normaliser_there_are_mean_errors_and_a_reason(result):
    (group,) = groups(robustness_table([result("a", 40, normaliser=None)]))
    assert "mCE" not in group.frame and "Relative" not in group.frame
    assert group.frame.loc["a", ("Noise", "shot_noise")] == 43  # mean of 41 ... 45
    assert group.notes[0].startswith("No CE and no mCE: no normaliser was wanted.")
    assert "CE against" not in group.caption


def test_single_severities_are_a_protocol_of_their_own(result):
    part = result("part", 30)
    part["errors"] = {name: [None, None, row[2], None, row[4]] for name, row in part["errors"].items()}
    part |= {"ce": dict.fromkeys(CORRUPTIONS), "mce15": None, "mce19": None, "relative_mce": None}
    whole, some = groups(robustness_table([result("whole", 40), part]))
    assert "severities 3,5" in some.caption and whole.protocol["severities"] == "1-5"
    assert some.frame.loc["part", ("Noise", "gaussian_noise")] == 33  # mean of 32 and 34
    assert "all five severities" in some.notes[0]


def test_the_printed_table_stands_apart(result):
    ours, paper = groups(robustness_table([result()], paper=True))
    assert len(ours.frame) == 1 and len(paper.frame) == 10
    assert paper.caption.startswith("Paper, Table 4 (ImageNet-C, printed)") and "another protocol" in paper.caption
    assert paper.frame.loc["LST-Net-18 (w/ ST)", ("mCE", "mce19")] == 79.89
    assert paper.frame.loc["SENet-50", ("Extra", "saturate")] == 58
    assert "Error" not in paper.frame  # not printed
    assert decimals(paper, "saturate") == 0 and decimals(paper, "mce19") == 2 and decimals(ours, "saturate") == 1


def test_no_results_are_an_empty_table():
    table = robustness_table([])
    assert table.empty and groups(table) == []


def test_published_rows_stand_below_ones_own_and_are_ranked_among_themselves_only(result):
    own = result("better", 1, suite="imagenet-c", protocol="official", normaliser="alexnet-testbed-on-disk", n=50000)
    asked = {"published": ["testbed", "robustbench", "hendrycks"], "match": ["resnet18", "resnet50", "alexnet"]}
    split = groups(robustness_table([own], **asked))
    assert [group.protocol["source"] for group in split] == ["", "testbed", "testbed", *["robustbench"], "hendrycks"]
    assert not best(split[0]).any(axis=None) and split[0].frame.index.tolist() == ["better"]
    marks = best(split[1])
    assert marks["mCE", "mce19"].tolist() == [True, False, False]  # in the source's order: ResNet-50 first
    assert split[1].frame["mCE", "mce19"].round(2).tolist() == [75.29, 83.37, 100.0]
    assert all("another protocol than any of ours" in group.caption for group in split[1:])


def test_the_caption_of_a_published_group_says_source_protocol_data_images_and_normaliser():
    split = groups(robustness_table([], published=["robustbench", "testbed"]))
    assert [len(group.frame) for group in split] == [12, 23, 13, 200, 200, 138]
    assert split[0].caption == (
        "Published by RobustBench: ImageNet-C, official files · n = 5000 (RobustBench's fixed images) · CE against "
        "alexnet-robustbench · another protocol than any of ours"
    )
    assert split[1].caption.startswith("Published by RobustBench: CIFAR-10-C, official files · n = 10000 · another")
    assert "in memory · n = 50000 · CE against alexnet-testbed-in-memory" in split[4].caption
    assert "clean images only" in split[5].caption and list(split[5].frame.columns) == [("Error", "clean_error")]
    for group in split:
        assert any("MIT licence" in note and "Please cite" in note for note in group.notes)
        assert any("No intervals" in note for note in group.notes) and group.intervals == {}
    assert "mCE" not in split[1].frame and split[1].frame["Noise", "shot_noise"].notna().all()
    assert "– : not published." in split[5].notes  # three models have no clean error either


def test_published_rows_have_the_normaliser_that_is_asked_for():
    (group,) = groups(robustness_table([], published=["hendrycks"], normaliser="none"))
    assert "mCE" not in group.frame and "CE against" not in group.caption
    asked = {"published": ["testbed"], "match": ["resnet18"], "normaliser": "alexnet-imagenet-c"}
    on_disk, _ = groups(robustness_table([], **asked))
    assert "CE against alexnet-imagenet-c" in on_disk.caption and on_disk.frame["mCE", "mce19"].round(2).item() == 85.29


def test_models_that_have_nothing_at_all_do_not_stop_a_table():
    table = robustness_table([], published=["testbed"], match=["*125_classes*"])
    for format in ("csv", "md", "latex", "html"):
        assert "125" in render(table, format)


def test_paper_is_the_published_set_of_that_name(result):
    asked = [{"paper": True}, {"published": ["paper"]}, {"published": ["paper"], "paper": True}]
    first, *others = (robustness_table([result()], **options) for options in asked)
    assert all(first.equals(other) for other in others) and len(first) == 11


def test_a_caution_stands_below_ones_own_rows(result):
    (group,) = groups(robustness_table([result(normaliser="alexnet-testbed-in-memory")]))
    assert group.notes[0].startswith("Caution: alexnet-testbed-in-memory")
    assert not any("Caution" in note for note in groups(robustness_table([result()]))[0].notes)


def test_a_published_row_of_the_json_is_named_by_its_set_instead(result):
    row = published_results(["hendrycks"])[0].to_dict()
    with pytest.raises(UsageError) as caught:
        robustness_table([result(), row])
    advice = "leave it out, and name its set as published"
    assert str(caught.value) == f"results[1] is another's published row: {advice}"
