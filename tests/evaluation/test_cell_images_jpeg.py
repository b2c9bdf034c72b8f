"""The protocol `generated-jpeg`: what is made in memory are the pixels of the files that `corrupt` writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import lst_robust
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, SEVERITIES, Cell
from lst_robust.errors import DataError
from lst_robust.evaluation.cell_images import CellImages, open_cell_images
from lst_robust.evaluation.request import EvalRequest
from lst_robust.geometry import Geometry
from lst_robust.reporting.tables import groups
from lst_robust.suites import load_suite
from tests.evaluation.test_cell_images import IMAGES, LABELS, MODEL, PIXELS
from tests.fixtures.commands import parsed

CELLS = [Cell(corruption, severity) for corruption in CORRUPTIONS for severity in SEVERITIES]
OTHER_SIZE = Geometry(size=48, resize=56, interpolation="bicubic")


@pytest.fixture
def imagenet(tmp_path, photographs) -> Path:
    """A folder with val/<wnid>/*.JPEG, whose images are 80 x 64 pixels."""
    for i, name in enumerate(IMAGES):
        path = tmp_path / "val" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.pad(photographs[i], ((0, 0), (8, 8), (0, 0)))).save(path, "PNG")
    return tmp_path


@pytest.fixture
def suite_of(tmp_path):
    """suite_of(name) -> the YAML file of the shipped suite at 64 pixels."""

    def write(name: str) -> Path:
        small = {"extends": name, "name": f"small-{name}", "description": "small", "image_size": 64}
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(small | {"dataset": {"kind": "imagenet", "resize": 64}}))
        return path

    return write


def cell_images(suite: Path, own_geometry: Geometry | None = None, **options) -> CellImages:
    return open_cell_images(EvalRequest.of(MODEL, suite, **options), own_geometry)


@pytest.mark.parametrize("own_geometry", [None, OTHER_SIZE])
def test_each_cell_equals_the_files_that_corrupt_writes(run, imagenet, suite_of, own_geometry):
    """The ids are the same on both ways, <wnid>/<file>, and so the noise is; the seed is given on both."""
    in_memory = suite_of("imagenet-c-jpeg")
    made = run("corrupt", "-s", str(in_memory), "made", "--data-dir", str(imagenet), "--seed", "3", "--json")
    assert parsed(made)["cells"] == len(CELLS)
    ours = cell_images(in_memory, own_geometry, data_dir=imagenet, seed=3)
    files = cell_images(suite_of("imagenet-c"), own_geometry, data_dir=imagenet, corrupted_dir="made")
    everything = range(len(IMAGES))
    assert ours.clean.ids == files.clean.ids == IMAGES
    for cell in (CLEAN_CELL, *CELLS):
        np.testing.assert_array_equal(ours.loader(cell)(everything), files.loader(cell)(everything), str(cell))


def test_only_the_corrupted_images_go_through_jpeg(imagenet, suite_of):
    ours, plain = (cell_images(suite_of(f"imagenet-c-{way}"), data_dir=imagenet) for way in ("jpeg", "generated"))
    snow = Cell("snow", 2)
    np.testing.assert_array_equal(ours.loader(CLEAN_CELL)([0, 3]), plain.loader(CLEAN_CELL)([0, 3]))
    compressed, corrupted = ours.loader(snow)([3]), plain.loader(snow)([3])
    assert (compressed != corrupted).mean() > 0.5 and np.abs(compressed.astype(int) - corrupted).mean() < 8
    assert ours.transform == f"{plain.transform}, then JPEG of quality 85 (4:2:0) of the corrupted ones, in memory"


def test_some_images_are_those_of_all(imagenet, suite_of):
    """Each image is compressed by itself, whatever stands beside it in a batch."""
    load = cell_images(suite_of("imagenet-c-jpeg"), data_dir=imagenet).loader(Cell("fog", 4))
    np.testing.assert_array_equal(load([2, 0]), load(range(4))[[2, 0]])


def test_it_is_a_protocol_of_its_own_with_the_published_normaliser(imagenet, suite_of):
    asked = {"data_dir": imagenet, "corruptions": ["fog"], "results_dir": imagenet / "results"}
    own = {"name": "one", "pixels": PIXELS}
    suites = [load_suite(suite_of(f"imagenet-c-{way}")).model_copy(update=own) for way in ("jpeg", "generated")]
    jpeg, plain = (lst_robust.evaluate(MODEL, suite, name="sum", **asked) for suite in suites)
    assert (jpeg.measured, plain.measured) == (6, 6), "neither takes the other's cells"
    protocol = jpeg.run.protocol
    assert (protocol.protocol, protocol.engine, protocol.seed) == ("generated-jpeg", "lst-robust 1", 0)
    assert (jpeg.normaliser.name, plain.normaliser) == ("alexnet-imagenet-c", None)
    assert jpeg.records[CLEAN_CELL].correct_bits().tolist() == MODEL.right(
        open_cell_images(EvalRequest.of(MODEL, suites[0], data_dir=imagenet)).clean.read(range(4)), LABELS
    )
    without = lst_robust.evaluate(MODEL, suites[0], name="sum", normaliser="none", **asked)
    with pytest.raises(DataError, match=r"protocol \(generated-jpeg, generated\)"):
        lst_robust.compare(without, plain)
    captions = [group.caption for group in groups(lst_robust.robustness_table([jpeg.summary(), plain.summary()]))]
    assert len(captions) == 2
    assert sum("generated-jpeg, preset imagenet" in caption for caption in captions) == 1


@pytest.mark.parametrize("asked", [("--format", "npy"), ("--image-format", "png")])
def test_files_that_would_not_be_the_suites_pixels_are_refused(run, imagenet, suite_of, asked):
    suite = str(suite_of("imagenet-c-jpeg"))
    refused = run("corrupt", "-s", suite, "made", "--data-dir", str(imagenet), *asked)
    assert refused.exit_code == 2 and "go through JPEG, as image files do" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1 and not Path("made").exists()
