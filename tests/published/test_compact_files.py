"""tools/published.py: compact files from originals, of which these are small copies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, SEVERITIES, Cell
from tools.published import FOLDER, as_csv, compact_files, error_of, main, of_robustbench, of_testbed

ROBUSTBENCH = ",shot_noise,shot_noise,fog\n,1,2,5\nAlexNet,0.2944,0.8809999999999999,0.0054\nother,0.5,,1.0\n"
TESTBED = (
    "model,imagenet-c.fog.1_in-memory,imagenet-c.fog.1_on-disk,imagenet-c.glass_blur.2_on-disk,other-set,val\n"
    "a,86.16000366210938,81.88800048828125,9.406000137329102,1.0,88.32200622558594\n"
    "clean-only,,,,2.0,50.0\n"
    "nothing,,,,3.0,\n"
)


@pytest.fixture
def originals(tmp_path) -> Path:
    for name in ("imagenet", "cifar10", "cifar100"):
        (tmp_path / f"robustbench_{name}.csv").write_text(ROBUSTBENCH)
    (tmp_path / "imagenet_testbed_imagenet_c.csv").write_text(TESTBED)
    return tmp_path


def test_accuracies_become_errors_without_the_noise_of_floating_point():
    found = of_robustbench(ROBUSTBENCH, 5_000)
    assert found["AlexNet"] == {Cell("shot_noise", 1): 70.56, Cell("shot_noise", 2): 11.9, Cell("fog", 5): 99.46}
    assert found["other"] == {Cell("shot_noise", 1): 50, Cell("fog", 5): 0}
    assert of_testbed(TESTBED, "in-memory")["a"] == {CLEAN_CELL: 11.678, Cell("fog", 1): 13.84}
    assert of_testbed(TESTBED, "on-disk")["a"][Cell("glass_blur", 2)] == 90.594


def test_an_accuracy_that_no_number_of_images_has_is_refused():
    assert error_of(50.0, 5_000) == 50
    with pytest.raises(ValueError, match="whole number of 5000 images"):
        error_of(50.01, 5_000)


def test_the_columns_are_the_cells_in_the_order_of_the_package():
    errors = {Cell(name, severity): 1.5 for name in reversed(CORRUPTIONS) for severity in SEVERITIES}
    head, row = as_csv({"a": errors}, decimals=2).splitlines()
    assert head.split(",")[:2] == ["model", "gaussian_noise-1"] and head.endswith("speckle_noise-5")
    assert row == "a" + ",1.50" * 95


def test_models_without_corrupted_images_are_a_file_of_their_own(originals):
    made = compact_files(originals)
    assert made["testbed_on_disk.csv"] == "model,clean,glass_blur-2,fog-1\na,11.678,90.594,18.112\n"
    assert made["testbed_in_memory.csv"] == "model,clean,fog-1\na,11.678,13.840\n"
    assert made["testbed_clean_only.csv"] == "model,clean\nclean-only,50.000\nnothing,\n"
    assert made["robustbench_imagenet.csv"].splitlines()[1] == "AlexNet,70.56,11.90,99.46"


def test_it_writes_and_checks(originals, tmp_path, capsys):
    folder = tmp_path / "compact"
    folder.mkdir()
    asked = [str(originals), "--folder", str(folder)]
    assert main([*asked, "--check"]) == 1
    assert main(asked) == 0 and main([*asked, "--check"]) == 0
    (folder / "testbed_in_memory.csv").write_text("model\n")
    capsys.readouterr()
    assert main([*asked, "--check"]) == 1
    assert capsys.readouterr().out == f"{folder / 'testbed_in_memory.csv'} is not what the originals give\n"


def test_the_files_of_the_package_have_its_form(tmp_path):
    """Reading and writing one again changes nothing."""
    shutil.copytree(FOLDER, tmp_path / "copy")
    for path in sorted((tmp_path / "copy").glob("[rt]*.csv")):
        head, *rows = path.read_text().splitlines()
        cells = [Cell.from_name(name) for name in head.split(",")[1:]]
        models = {
            line.split(",")[0]: {
                cell: float(text) for cell, text in zip(cells, line.split(",")[1:], strict=True) if text
            }
            for line in rows
        }
        assert as_csv(models, decimals=2 if path.name.startswith("r") else 3) == path.read_text(), path.name
