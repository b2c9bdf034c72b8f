"""The compact files: whole, of whole images, and with the numbers that their sources publish."""

from __future__ import annotations

from importlib.resources import files

import pytest

from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, SEVERITIES, STANDARD_15, Cell
from lst_robust.published import (
    ALEXNET,
    CLEAN_ONLY,
    GROUPS,
    PRINTED,
    ROBUSTBENCH_ALEXNET,
    TESTBED_IN_MEMORY,
    TESTBED_ON_DISK,
    alexnet_errors,
    alexnet_of,
    complete_rows,
    pipeline_difference,
    published_models,
)

MEASURED = [group for group in GROUPS if group.protocol != PRINTED]
COUNTS = {
    "robustbench_imagenet.csv": 12, "robustbench_cifar10.csv": 23, "robustbench_cifar100.csv": 13,
    "testbed_on_disk.csv": 200, "testbed_in_memory.csv": 200, "testbed_clean_only.csv": 138,
    "alexnet_imagenet_c.csv": 1,
}  # fmt: skip


def models(file: str) -> dict[str, dict[Cell, float]]:
    return {model.name: model.errors for model in published_models(file)}


@pytest.mark.parametrize("group", MEASURED, ids=lambda group: group.file)
def test_every_model_is_there_once_with_the_same_cells(group):
    found = published_models(group.file)
    assert len(found) == len({model.name for model in found}) == COUNTS[group.file]
    cells = {frozenset(model.errors) for model in found} - {frozenset()}
    assert len(cells) == 1
    (cells,) = cells
    assert all(len([cell for cell in cells if cell.corruption == name]) in (0, 5) for name in CORRUPTIONS)


@pytest.mark.parametrize("group", MEASURED, ids=lambda group: group.file)
def test_every_error_is_that_of_a_whole_number_of_images(group):
    for model in published_models(group.file):
        for cell, error in model.errors.items():
            wrong = group.n * error / 100
            assert 0 <= wrong <= group.n and abs(wrong - round(wrong)) < 1e-6, (model.name, cell)


def test_the_corruptions_that_a_source_has():
    present = {
        group.file: {cell.corruption for model in published_models(group.file) for cell in model.errors}
        for group in MEASURED
    }
    assert present["robustbench_imagenet.csv"] == present["robustbench_cifar10.csv"] == set(STANDARD_15)
    assert present["testbed_on_disk.csv"] == {*CORRUPTIONS, "clean"}
    assert present["testbed_in_memory.csv"] == {*CORRUPTIONS, "clean"} - {"glass_blur"}
    assert present["testbed_clean_only.csv"] == {"clean"} and present["alexnet_imagenet_c.csv"] == set(CORRUPTIONS)


def test_some_cells_are_those_of_the_originals():
    """100 less the accuracy that the original file has."""
    assert models("robustbench_imagenet.csv")["AlexNet"][Cell("shot_noise", 1)] == pytest.approx(100 - 29.44)
    calian = models("robustbench_cifar10.csv")["Calian2021Defending"]
    assert calian[Cell("snow", 1)] == pytest.approx(100 - 93.90)
    augmix = models("robustbench_cifar100.csv")["Hendrycks2020AugMix_WRN"]
    assert augmix[Cell("gaussian_noise", 5)] == pytest.approx(100 - 34.30)
    on_disk, in_memory = models("testbed_on_disk.csv"), models("testbed_in_memory.csv")
    assert on_disk["FixResNeXt101_32x48d_v2"][Cell("brightness", 1)] == pytest.approx(100 - 81.888)
    assert in_memory["FixResNeXt101_32x48d_v2"][Cell("brightness", 1)] == pytest.approx(100 - 86.16)
    assert in_memory["alexnet"][CLEAN_CELL] == on_disk["alexnet"][CLEAN_CELL] == pytest.approx(100 - 56.522)
    assert models("testbed_clean_only.csv")["efficientnet-l2-noisystudent"][CLEAN_CELL] == pytest.approx(100 - 88.322)


def test_the_testbeds_338_models_are_all_there_and_200_have_both_ways():
    on_disk, in_memory, rest = (
        set(models(f"testbed_{way}.csv")) for way in ("on_disk", "in_memory", CLEAN_ONLY.replace(" images ", "_"))
    )
    assert on_disk == in_memory and not on_disk & rest and len(on_disk | rest) == 338


def test_the_authors_alexnet_is_percentages_of_all_corruptions():
    errors = alexnet_errors()
    assert set(errors) == set(CORRUPTIONS) and {len(row) for row in errors.values()} == {5}
    assert errors["gaussian_noise"][1] == pytest.approx(82.542)


def test_each_group_is_divided_by_the_alexnet_of_its_own_file():
    assert alexnet_of(ALEXNET).errors[Cell("gaussian_noise", 2)] == alexnet_errors()["gaussian_noise"][1]
    assert alexnet_of(TESTBED_ON_DISK).errors[Cell("gaussian_noise", 2)] == 84.258
    assert alexnet_of(TESTBED_IN_MEMORY).errors[Cell("gaussian_noise", 2)] == 79.438
    assert alexnet_of(ROBUSTBENCH_ALEXNET).errors[Cell("gaussian_noise", 2)] == 81.86


def test_complete_rows_leave_out_a_corruption_that_lacks_a_severity():
    model = alexnet_of(ALEXNET)
    assert set(complete_rows(model)) == set(CORRUPTIONS)
    part = model._replace(errors={cell: error for cell, error in model.errors.items() if cell != Cell("fog", 3)})
    assert set(complete_rows(part)) == set(CORRUPTIONS) - {"fog"}


def test_the_difference_of_the_pipelines_follows_from_the_errors():
    found = pipeline_difference()
    on_disk, in_memory = models("testbed_on_disk.csv")["alexnet"], models("testbed_in_memory.csv")["alexnet"]
    gains = [
        on_disk[Cell(name, severity)] - in_memory[Cell(name, severity)]
        for name in CORRUPTIONS
        if name != "glass_blur"
        for severity in SEVERITIES
    ]
    assert found.in_memory_gain == pytest.approx(sum(gains) / 90) and round(found.in_memory_gain, 1) == 2.7
    assert (round(found.on_disk, 2), round(found.published, 2)) == (84.26, 82.54)
    assert found.missing == ("glass_blur",)


def test_the_files_are_small():
    folder = files("lst_robust.published")
    sizes = [len(path.read_bytes()) for path in folder.iterdir() if path.name.endswith(".csv")]
    assert len(sizes) == len(COUNTS) and sum(sizes) < 400_000
