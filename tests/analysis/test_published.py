"""Published rows: their CEs and means, what is said of them, and which rows a pattern chooses."""

from __future__ import annotations

import json

import pytest

import lst_robust
from lst_robust.analysis.published import PublishedResult, checked_sets, group_notes, group_of, published_results
from lst_robust.benchmark import CORRUPTIONS, STANDARD_15
from lst_robust.errors import UsageError
from lst_robust.published import ALEXNET, GROUPS, IN_MEMORY, OFFICIAL, SOURCES
from tests.analysis.simulated import HALF
from tests.fixtures.refusals import refusal


def one(source: str, model: str, suite: str = "imagenet-c", protocol: str = OFFICIAL, **options) -> PublishedResult:
    results = published_results([source], [model], **options)
    (found,) = (r for r in results if (r.group.suite, r.group.protocol) == (suite, protocol))
    return found


@pytest.mark.parametrize(
    ("source", "model", "expected"),
    [
        ("robustbench", "Standard_R50", {"mce15": 76.38}),
        ("robustbench", "Hendrycks2020AugMix", {"mce15": 64.17}),
        ("robustbench", "Tian2022Deeper_DeiT-B", {"mce15": 41.70}),
        ("testbed", "resnet18", {"mce15": 84.47, "mce19": 83.37}),
        ("testbed", "resnet50", {"mce15": 76.51, "mce19": 75.29}),
        ("testbed", "alexnet", {"mce15": 100.0, "mce19": 100.0, "relative_mce": 100.0}),
        ("hendrycks", "AlexNet", {"mce15": 100.0, "mce19": 100.0}),
    ],
)
def test_the_mces_are_those_known(source, model, expected):
    found = one(source, model)
    assert {name: round(found.metrics[name], 2) for name in expected} == expected


def test_with_the_authors_alexnet_the_testbeds_resnets_have_the_papers_mce():
    printed = {result.model: result.metrics["mce19"] for result in published_results(["paper"])}
    for model, in_paper in (("resnet18", "ResNet-18"), ("resnet50", "ResNet-50")):
        found = one("testbed", model, normaliser=ALEXNET)
        assert found.normaliser == ALEXNET and round(found.metrics["mce19"], 2) == printed[in_paper]
        assert any("84.26 % on gaussian_noise-2" in note and "82.54 %" in note for note in found.notes)


def test_a_ce_is_the_quotient_of_two_sums():
    """By hand, from the original's accuracies on fog: ResNet-50 and AlexNet of RobustBench."""
    resnet, alexnet = one("robustbench", "Standard_R50"), one("robustbench", "AlexNet")
    assert resnet.ce["fog"] == pytest.approx(100 * sum(resnet.errors["fog"]) / sum(alexnet.errors["fog"]))
    assert alexnet.errors["fog"] == pytest.approx((68.46, 76.76, 84.30, 87.86, 94.44))


def test_robustbench_has_15_corruptions_and_no_clean_error():
    found = one("robustbench", "Standard_R50")
    assert {name for name, value in found.ce.items() if value is not None} == set(STANDARD_15)
    assert [found.metrics[name] for name in ("mce19", "clean_error", "relative_mce")] == [None] * 3
    errors = [error for name in STANDARD_15 for error in found.errors[name]]
    assert found.metrics["mean_corruption_error"] == pytest.approx(sum(errors) / 75)
    assert "so there is no mCE over all 19" in found.notes[1]


@pytest.mark.parametrize("normaliser", ["suite", ALEXNET, HALF])
def test_on_cifar_there_is_no_ce_whatever_the_normaliser(normaliser):
    for suite in ("cifar10-c", "cifar100-c"):
        found = one("robustbench", "Modas2021PRIMEResNet18", suite, normaliser=normaliser)
        assert found.normaliser is None and set(found.ce.values()) == {None}
        assert found.metrics["mce15"] is None and found.metrics["mean_corruption_error"] > 5
        assert found.notes[0] == f"No CE and no mCE: the source has no AlexNet on {found.group.data}."


def test_in_memory_there_are_ces_of_18_corruptions_and_no_mce():
    found = one("testbed", "resnet18", protocol=IN_MEMORY)
    assert {name for name, value in found.ce.items() if value is None} == {"glass_blur"}
    assert found.metrics["mce15"] is found.metrics["mce19"] is found.metrics["relative_mce"] is None
    assert "lacks glass_blur, so there is no mCE." in found.notes[1]
    itself = one("testbed", "alexnet", protocol=IN_MEMORY).ce.values()
    assert [value for value in itself if value is not None] == pytest.approx([100] * 18)
    mixed = one("testbed", "resnet18", protocol=IN_MEMORY, normaliser=ALEXNET)
    assert "was not measured on these images" in mixed.notes[0]


def test_models_without_corrupted_images_have_their_clean_error_only():
    (found,) = published_results(["testbed"], ["efficientnet-l2-noisystudent"])
    assert found.metrics["clean_error"] == pytest.approx(100 - 88.322)
    assert {value for name, value in found.metrics.items() if name != "clean_error"} == {None}


def test_the_papers_rows_are_as_printed_whatever_the_normaliser():
    for normaliser in ("suite", None, HALF):
        found = published_results(["paper"], normaliser=normaliser)
        assert len(found) == 10 and found[0].metrics["mce19"] == 85.29 and found[0].ce["fog"] == 81


def test_without_a_normaliser_there_is_no_ce():
    found = one("testbed", "resnet18", normaliser="none")
    assert set(found.ce.values()) == {None} and found.notes[0].startswith("No CE and no mCE, because no normaliser")


@pytest.mark.parametrize("normaliser", ["suite", HALF, HALF.model_copy(update={"name": ALEXNET})])
def test_a_normaliser_of_ones_own_may_belong_to_other_images(normaliser):
    """So it does not divide another's errors."""
    found = one("testbed", "resnet18", normaliser=normaliser)
    assert found.normaliser == "alexnet-testbed-on-disk" and round(found.metrics["mce15"], 2) == 84.47


def test_the_caution_of_a_normaliser_of_another_pipeline_is_there():
    found = one("robustbench", "Standard_R50", normaliser="alexnet-testbed-on-disk")
    assert found.notes[0].startswith("Caution: alexnet-testbed-on-disk")


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: f"{group.source}-{group.suite}-{group.protocol}")
def test_every_group_names_its_source_and_says_that_there_are_no_intervals(group):
    notes = group_notes(group, group.normaliser)
    assert notes[-1] == SOURCES[group.source].note and notes[-2].startswith("No intervals")
    assert group_of({"source": group.source, "suite": group.suite, "protocol": group.protocol}) is group


def test_the_json_is_marked_and_plain():
    data = json.loads(json.dumps(one("robustbench", "Standard_R50").to_dict(), allow_nan=False))
    assert data["published"]["licence"] == "MIT licence" and data["published"]["name"] == "robustbench"
    assert (data["n"], data["protocol"], data["normaliser"]) == (5000, "official files", "alexnet-robustbench")
    assert data["mce15"] == pytest.approx(76.38, abs=0.005) and len(data["errors"]["fog"]) == 5
    assert set(data["ce"]) == set(CORRUPTIONS)


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["resnet18"], {"resnet18"}),
        (["RESNET18"], {"resnet18"}),
        (["vgg1[16]"], {"vgg11", "vgg16"}),
        (["vgg?1", "alexnet"], {"vgg11", "alexnet"}),
        (["vgg11", "vgg1?"], {"vgg11", "vgg13", "vgg16", "vgg19"}),
    ],
)
def test_patterns_choose_models_by_name(patterns, expected):
    assert {result.model for result in published_results(["testbed"], patterns)} == expected


def test_a_pattern_may_fit_in_one_set_only():
    found = published_results(["robustbench", "testbed"], ["resnet18", "AlexNet"])
    assert [result.group.source for result in found] == ["robustbench", "testbed", "testbed", "testbed", "testbed"]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("resnt18*", "no model of testbed matches 'resnt18*': did you mean resnet18"),
        ("*augmx", "resnet50_augmix"),
        ("zzzz*", "there are 338 to choose from, such as FixResNeXt101_32x48d_v2"),
        ("*", None),
        ("", "match[0] is ''"),
    ],
)
def test_a_pattern_that_fits_nothing_offers_the_nearest(pattern, words):
    if words is None:
        assert len({result.model for result in published_results(["testbed"], [pattern])}) == 338
    else:
        assert words in refusal(published_results, ["testbed"], [pattern])


def test_a_set_is_shown_once_and_unknown_ones_are_refused():
    assert checked_sets(["paper", "paper"]) == ("paper",) and checked_sets(()) == ()
    assert "unknown published set 'testbd': did you mean testbed?" in refusal(published_results, ["testbd"])
    assert 'published=["testbed"]' in refusal(published_results, "testbed")
    assert "name their set as published (robustbench, testbed" in refusal(published_results, [], ["resnet18"])
    with pytest.raises(UsageError, match="unknown normaliser"):
        lst_robust.published_results(["testbed"], normaliser="nothing")
