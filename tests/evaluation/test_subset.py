"""A published choice of images: what is measured, what the records say, and what may stand beside it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

import lst_robust
from lst_robust.data import registry
from lst_robust.data.imagenet import KIND
from lst_robust.data.subset import Subset
from lst_robust.errors import DataError, UsageError
from lst_robust.evaluation.cell_images import open_cell_images
from lst_robust.evaluation.request import EvalRequest
from lst_robust.reporting.tables import groups
from lst_robust.suites import Suite, load_suite
from tests.evaluation.test_cell_images import MODEL, PIXELS

IMAGES = [
    f"{wnid}/ILSVRC2012_val_{number:08d}.JPEG"
    for wnid, number in (("n01440764", 3), ("n01440764", 8), ("n15075141", 1), ("n15075141", 5), ("n15075141", 6))
]
FEW = (6, 3, 5)
CHOSEN = (IMAGES[0], IMAGES[3], IMAGES[4])


@pytest.fixture
def imagenet(tmp_path, photographs, monkeypatch):
    """Five images, a data set of which "few" is a subset, and ImageNet-C's fog at severity 1."""
    few = Subset("few", "us", lambda: FEW, "ILSVRC2012_val_")
    monkeypatch.setitem(registry.SHIPPED, "imagenet", dataclasses.replace(KIND, subsets=(*KIND.subsets, few)))
    for i, name in enumerate(IMAGES):
        for folder, pixels in (("val", photographs[i % 4]), ("ImageNet-C/fog/1", photographs[i % 4] // 2)):
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels + np.uint8(i)).save(path, quality=95)
    return tmp_path


def small(name: str) -> Suite:
    shipped = load_suite(name)
    changes = {"image_size": 64, "dataset": shipped.dataset.model_copy(update={"resize": 64}), "pixels": PIXELS}
    return shipped.model_copy(update=changes | {"severities": (1,), "corruptions": ("fog",), "normaliser": None})


@pytest.fixture(params=["imagenet-c-generated", "imagenet-c"])
def suite(request) -> Suite:
    return small(request.param)


def evaluate(suite, root, name="sum", **options):
    return lst_robust.evaluate(MODEL, suite, data_dir=root, results_dir=root / "results", name=name, **options)


def test_its_images_are_measured_and_no_others(imagenet, suite):
    whole, chosen = evaluate(suite, imagenet), evaluate(suite, imagenet, subset="few")
    positions = [IMAGES.index(name) for name in CHOSEN]
    for cell, record in chosen.records.items():
        assert record.correct_bits().tolist() == whole.records[cell].correct_bits()[positions].tolist()
    assert (chosen.run.protocol.subset, chosen.run.protocol.n, whole.run.protocol.subset) == ("few", 3, None)
    assert chosen.measured == whole.measured == 2 and evaluate(suite, imagenet, subset="few").measured == 0


def test_a_suite_may_name_it_and_a_limit_takes_some_of_it(imagenet, suite):
    named = suite.model_copy(update={"subset": "few"})
    assert named.digest() == suite.digest()
    assert evaluate(named, imagenet).run == evaluate(suite, imagenet, subset="few").run
    images = open_cell_images(EvalRequest.of(MODEL, named, data_dir=imagenet, limit=2)).clean
    assert len(images) == 2 and set(images.ids) < set(CHOSEN)
    assert evaluate(named, imagenet, limit=2).run.protocol.subset == "few"


def test_the_official_files_must_still_be_complete(imagenet):
    (imagenet / "ImageNet-C" / "fog" / "1" / IMAGES[1]).unlink()
    with pytest.raises(DataError, match=r"holds other images than the clean ones .*\(4 and 5\)"):
        evaluate(small("imagenet-c"), imagenet, subset="few")


def test_an_unreadable_image_that_is_not_chosen_does_not_matter(imagenet, suite):
    (imagenet / "val" / IMAGES[1]).write_bytes(b"damaged")
    assert evaluate(suite, imagenet, subset="few", skip_unreadable=True).run.protocol.n == 3
    (imagenet / "val" / CHOSEN[1]).write_bytes(b"damaged")
    some = evaluate(suite, imagenet, subset="few", skip_unreadable=True)
    assert (some.run.protocol.n, some.skipped_images) == (2, (CHOSEN[1],))


def test_a_table_keeps_it_apart_and_says_it(imagenet):
    suite = small("imagenet-c-generated")
    whole = [evaluate(suite, imagenet, name=name) for name in ("a", "b")]
    chosen = evaluate(suite, imagenet, name="c", subset="few")
    split = groups(lst_robust.robustness_table([result.summary() for result in (*whole, chosen)]))
    assert [group.frame.index.tolist() for group in split] == [["a", "b"], ["c"]]
    assert "n = 3 of few" in split[1].caption and "few" not in split[0].caption
    with pytest.raises(DataError, match=r"subset \(all images, few\)"):
        lst_robust.compare(whole[0], chosen)


def test_a_folder_of_just_these_images_is_another_protocol(imagenet):
    """The images are equal, but only one of the two says that they are the published ones."""
    suite = small("imagenet-c-generated")
    for name in set(IMAGES) - set(CHOSEN):
        (imagenet / "val" / name).unlink()
    plain, chosen = evaluate(suite, imagenet), evaluate(suite, imagenet, subset="few")
    assert plain.run.protocol.images == chosen.run.protocol.images and plain.run.digest != chosen.run.digest
    assert chosen.measured == 2


def test_the_command_line_says_it(imagenet, run, monkeypatch):
    asked = ("eval", "-m", "alexnet", "-s", "imagenet-c-generated", "--data-dir", str(imagenet))
    missing = run(*asked, "--subset", "robustbench-5k")
    assert missing.exit_code == 3 and missing.stderr.count("error:") == 1
    assert "5,000 of the 5,000 images of the subset robustbench-5k" in missing.stderr
    unknown = run(*asked, LST_ROBUST_SUBSET="robustbench")
    assert unknown.exit_code == 2 and "did you mean robustbench-5k" in unknown.stderr
    elsewhere = run("eval", "-m", "alexnet", "--subset", "robustbench-5k")
    assert elsewhere.exit_code == 2 and "is a choice of images of imagenet, not of digits" in elsewhere.stderr


def test_a_suites_file_with_a_subset_that_cannot_be_meant(tmp_path):
    path = tmp_path / "mine.yaml"
    for base, subset, words in (
        ("digits-c", "robustbench-5k", "not of digits"),
        ("imagenet-c", "robust", "unknown subset 'robust'"),
    ):
        path.write_text(f"extends: {base}\nname: mine\ndescription: mine\nsubset: {subset}\n")
        with pytest.raises(UsageError, match=words):
            load_suite(path)
    path.write_text("extends: imagenet-c\nname: mine\ndescription: mine\nsubset: robustbench-5k\n")
    assert load_suite(path).subset == "robustbench-5k"
