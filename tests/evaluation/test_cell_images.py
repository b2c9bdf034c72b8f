"""Official corrupted sets, in trees and arrays of exactly their layouts: which file stands behind which cell."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

import lst_robust
from lst_robust.analysis.networks import collect_summaries
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, GROUPS, Cell
from lst_robust.errors import DataError, UsageError
from lst_robust.evaluation.cell_images import open_cell_images
from lst_robust.evaluation.request import EvalRequest
from lst_robust.reporting.tables import groups
from lst_robust.suites import PixelStatistics, Suite, load_suite
from tests.data.test_cifar import write_cifar

PIXELS = PixelStatistics(mean=(0.31,) * 3, std=(0.31,) * 3)  # what `Guesser` undoes
IMAGES = ("n01440764/a.JPEG", "n01440764/b.JPEG", "n15075141/c.JPEG", "n15075141/d.JPEG")
LABELS = [0, 0, 999, 999]


class Guesser(torch.nn.Module):
    """Takes the exact sum of the pixel levels for its choice: any changed pixel shows, and half of two is right."""

    def __init__(self, *choice: int, classes: int) -> None:
        super().__init__()
        self.choice, self.classes = torch.tensor(choice), classes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        levels = (x.double() * 0.31 + 0.31).mul(255).round().sum(dim=(1, 2, 3)).long()
        return torch.nn.functional.one_hot(self.choice[levels % len(self.choice)], self.classes).float()

    def right(self, images: np.ndarray, labels: list[int]) -> list[bool]:
        """For which of uint8 (n, S, S, 3) it guesses the label."""
        levels = images.reshape(len(images), -1).sum(1, dtype=np.int64)
        return (self.choice.numpy()[levels % len(self.choice)] == labels).tolist()


MODEL = Guesser(0, 999, classes=1000)


@pytest.fixture
def imagenet_c(tmp_path, photographs):
    """Clean images of 64 x 80, and ImageNet-C with every corruption at severities 1 and 5, squares of 64; some
    corruptions lie in their group's folder, as in the archives."""
    rng = np.random.default_rng(0)
    for i, name in enumerate(IMAGES):
        path = tmp_path / "val" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.pad(photographs[i], ((0, 0), (8, 8), (0, 0)))).save(path, "PNG")
    for group, names in GROUPS.items():
        for corruption in names:
            for severity in (1, 5):
                above = group if group in ("noise", "extra") else ""
                for i, name in enumerate(IMAGES):
                    path = tmp_path / "ImageNet-C" / above / corruption / str(severity) / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    noisy = photographs[i] // 2 + rng.integers(0, 99, photographs[i].shape, dtype=np.uint8)
                    Image.fromarray(noisy).save(path, quality=90)
    return tmp_path


@pytest.fixture
def suite() -> Suite:
    """imagenet-c at 64 pixels, severities 1 and 5."""
    shipped = load_suite("imagenet-c")
    small = {"image_size": 64, "dataset": shipped.dataset.model_copy(update={"resize": 64})}
    return shipped.model_copy(update={**small, "pixels": PIXELS, "severities": (1, 5)})


def evaluate(model, suite, folder, **options):
    return lst_robust.evaluate(model, suite, results_dir=folder / "results", name="sum", **options)


def read(root, corruption, severity):
    group = next(group for group, names in GROUPS.items() if corruption in names)
    above = group if group in ("noise", "extra") else "."
    folder = root / "ImageNet-C" / above / corruption / str(severity)
    return np.stack([np.asarray(Image.open(folder / name)) for name in IMAGES])


def test_clean_cell_from_the_clean_images_and_the_others_from_the_files(imagenet_c, suite, photographs):
    result = evaluate(MODEL, suite, imagenet_c, data_dir=imagenet_c, batch_size=3, workers=2)
    assert result.measured == 1 + 2 * 19 and not result.failed
    bits = {cell: record.correct_bits().tolist() for cell, record in result.records.items()}
    assert bits.pop(CLEAN_CELL) == MODEL.right(photographs, LABELS), "cropped to the centre"
    assert bits == {cell: MODEL.right(read(imagenet_c, *cell), LABELS) for cell in bits}, "as they are"
    summary = result.summary()
    protocol = summary.protocol
    assert (protocol.protocol, protocol.engine, protocol.seed) == ("official", "official", 0)
    assert (protocol.n, summary.normaliser) == (4, "alexnet-imagenet-c")


def test_corrupted_images_may_lie_elsewhere(imagenet_c, suite, tmp_path):
    (imagenet_c / "ImageNet-C").rename(tmp_path / "elsewhere")
    options = {"data_dir": imagenet_c, "corruptions": ["fog"]}
    with pytest.raises(DataError, match=r"no corruption in .*2235448"):
        evaluate(MODEL, suite, tmp_path, **options)
    with pytest.raises(DataError, match="nowhere: give an existing one with --corrupted-dir"):
        evaluate(MODEL, suite, tmp_path, corrupted_dir=tmp_path / "nowhere", **options)
    assert evaluate(MODEL, suite, tmp_path, corrupted_dir=tmp_path / "elsewhere", **options).measured == 3


def test_a_limit_takes_the_same_images_from_every_cell(imagenet_c, suite):
    result = evaluate(MODEL, suite, imagenet_c, data_dir=imagenet_c, corruptions=["snow"], limit=2)
    whole = evaluate(MODEL, suite, imagenet_c, data_dir=imagenet_c, corruptions=["snow"])
    chosen = [i for i, name in enumerate(IMAGES) if name in result_ids(imagenet_c, suite, 2)]
    for cell, record in result.records.items():
        assert record.correct_bits().tolist() == whole.records[cell].correct_bits()[chosen].tolist()
    assert result.run.protocol.n == 2


def result_ids(root, suite, limit):
    return open_cell_images(EvalRequest.of(MODEL, suite, data_dir=root, limit=limit)).clean.ids


def replace_fog(imagenet_c) -> None:
    for name in IMAGES:
        path = imagenet_c / "ImageNet-C" / "fog" / "1" / name
        Image.fromarray(np.asarray(Image.open(path)) // 2).save(path, quality=90)


def test_files_that_have_changed_since_are_not_taken_for_those_from_then(imagenet_c, suite):
    asked = {"data_dir": imagenet_c, "corruptions": ["fog", "snow"]}
    before = evaluate(MODEL, suite, imagenet_c, **asked)
    assert evaluate(MODEL, suite, imagenet_c, **asked).measured == 0
    replace_fog(imagenet_c)
    for corruptions in (["fog"], ["snow"]):  # also when others are asked for: the run would be a mixture
        with pytest.raises(DataError, match=r"the files of 1 measured cells hold other pixels .* such as fog-1"):
            evaluate(MODEL, suite, imagenet_c, **asked | {"corruptions": corruptions})
    with pytest.raises(DataError, match="other pixels"):
        evaluate(MODEL, suite, imagenet_c, overwrite=True, **asked | {"corruptions": ["snow"]})
    elsewhere = evaluate(MODEL, suite, imagenet_c / "new", **asked)
    again = evaluate(MODEL, suite, imagenet_c, overwrite=True, **asked)
    assert again.records.keys() == elsewhere.records.keys() == before.records.keys()
    fog = Cell("fog", 1)
    assert again.records[fog].pixels == elsewhere.records[fog].pixels != before.records[fog].pixels
    assert again.records[fog].correct_bits().tolist() == MODEL.right(read(imagenet_c, "fog", 1), LABELS)
    assert again.records[Cell("snow", 1)].pixels == before.records[Cell("snow", 1)].pixels


def test_networks_measured_on_two_sets_are_never_held_against_each_other(imagenet_c, suite, tmp_path):
    results = {"results_dir": tmp_path / "both", "data_dir": imagenet_c, "corruptions": ["fog", "snow"]}
    other = Guesser(999, 0, classes=1000)
    one = lst_robust.evaluate(MODEL, suite, name="one", **results)
    same = lst_robust.evaluate(other, suite, name="same", **results)
    path = tmp_path / "suite.json"
    path.with_suffix(".yaml").write_text(json.dumps(suite.model_dump(mode="json")))
    asked = {"suite": path.with_suffix(".yaml"), "results_dir": results["results_dir"]}
    baseline = lst_robust.make_baseline(asked["results_dir"], suite=asked["suite"], models=["one"])
    replace_fog(imagenet_c)
    another = lst_robust.evaluate(other, suite, name="another", **results)
    assert lst_robust.compare(one, same).corruptions
    for pair in ((one, another), ("one", "another")):
        options = {} if isinstance(pair[0], lst_robust.Evaluation) else asked
        with pytest.raises(DataError, match="on two official sets: 1 cells have other pixels, such as fog-1"):
            lst_robust.compare(*pair, **options)
    summaries = collect_summaries(asked["results_dir"], asked["suite"], "none")
    table = groups(lst_robust.robustness_table(summaries))
    assert sorted(sorted(group.frame.index) for group in table) == [["another"], ["one", "same"]]
    elsewhere = lst_robust.evaluate(MODEL, suite, name="one", **results | {"results_dir": tmp_path / "new"})
    gate = lst_robust.check(baseline, results_dir=tmp_path / "new", suite=asked["suite"], metric="clean_error")
    assert elsewhere.measured == 5 and gate.exit_code == 3
    assert "1 cells have other pixels than the baseline's" in gate.findings[0].message


def test_cells_of_a_set_that_is_not_there_any_more_are_said(imagenet_c, suite, said):
    evaluate(MODEL, suite, imagenet_c, data_dir=imagenet_c, corruptions=["fog"])
    (imagenet_c / "ImageNet-C" / "fog").rename(imagenet_c / "fog")
    said()
    evaluate(MODEL, suite, imagenet_c, data_dir=imagenet_c, corruptions=["snow"])
    (line,) = said()
    assert "2 measured cells, such as fog-1, are not in the set that is given now" in line


def test_other_clean_images_of_the_same_names_are_another_run(imagenet_c, suite):
    asked = {"data_dir": imagenet_c, "corruptions": ["fog"]}
    before = evaluate(MODEL, suite, imagenet_c, **asked)
    for name in IMAGES:
        path = imagenet_c / "val" / name
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path, "PNG")
    after = evaluate(MODEL, suite, imagenet_c, **asked)
    assert after.measured == 3 and after.run.protocol.images == before.run.protocol.images


def test_a_network_of_another_size_gets_the_squares_scaled(imagenet_c, suite, photographs):
    """The files stay as they are; clean images are cut as they were, and both are scaled in the same way."""

    model = Guesser(0, 999, classes=1000)
    stated = {"interpolation": "bicubic", "crop_pct": 0.5, "mean": PIXELS.mean, "std": PIXELS.std}
    model.pretrained_cfg = stated | {"input_size": (3, 80, 80)}
    asked = {"data_dir": imagenet_c, "corruptions": ["fog"]}
    result = evaluate(model, suite, imagenet_c, preprocess="model", **asked)

    def scaled(images: np.ndarray) -> np.ndarray:
        return np.stack([np.asarray(Image.fromarray(image).resize((80, 80), Image.BICUBIC)) for image in images])

    for cell, record in result.records.items():
        images = photographs if cell == CLEAN_CELL else read(imagenet_c, *cell)
        assert record.correct_bits().tolist() == model.right(scaled(images), LABELS), cell
    assert result.run.model.geometry.described() == "scaled to 80 x 80 (bicubic)"
    transform = result.records[CLEAN_CELL].provenance.transform
    assert "corrupted: files as they are; both scaled to 80 x 80 (bicubic)" in transform
    model.pretrained_cfg = stated | {"input_size": (3, 64, 64)}
    fitting = evaluate(model, suite, imagenet_c / "fitting", preprocess="model", **asked)
    as_they_are = evaluate(MODEL, suite, imagenet_c / "suite", **asked)
    assert [r.correct for r in fitting.records.values()] == [r.correct for r in as_they_are.records.values()]


def test_other_images_than_the_clean_ones_are_refused(imagenet_c, suite):
    for folder in (imagenet_c / "ImageNet-C").rglob("n15075141"):
        (folder / "d.JPEG").unlink()
    with pytest.raises(DataError, match=r"gaussian_noise/1 holds other images than the clean ones in .*\(3 and 4\)"):
        evaluate(MODEL, suite, imagenet_c, data_dir=imagenet_c)


def test_missing_cells_are_named_before_anything_is_measured(imagenet_c, suite):
    all_five = suite.model_copy(update={"severities": (1, 2, 5)})
    with pytest.raises(DataError, match=r"19 of the wanted cells are not in .*ImageNet-C, such as brightness-2"):
        evaluate(MODEL, all_five, imagenet_c, data_dir=imagenet_c)
    assert not list((imagenet_c / "results").rglob("*.json"))


def test_images_of_another_size_are_refused_by_name(imagenet_c, suite):
    path = imagenet_c / "ImageNet-C" / "fog" / "1" / IMAGES[1]
    Image.open(path).resize((80, 64)).save(path)
    with pytest.raises(DataError, match=r"b\.JPEG \(80 x 64 pixels instead of 64 x 64\)"):
        evaluate(MODEL, suite, imagenet_c, data_dir=imagenet_c, corruptions=["fog"])


def test_there_is_no_seed_to_choose(imagenet_c, suite):
    with pytest.raises(UsageError, match="leave out the seed"):
        evaluate(MODEL, suite, imagenet_c, data_dir=imagenet_c, seed=1)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_c_arrays(tmp_path, name):
    write_cifar(tmp_path, name, per_batch=6)
    folder = tmp_path / f"CIFAR-{name.removeprefix('cifar')}-C"
    folder.mkdir()
    rng = np.random.default_rng(1)
    arrays = {c: rng.integers(0, 256, (5 * 6, 32, 32, 3), dtype=np.uint8) for c in CORRUPTIONS}
    for corruption, pixels in arrays.items():
        np.save(folder / f"{corruption}.npy", pixels)
    np.save(folder / "labels.npy", np.tile(np.arange(6, dtype=np.uint8), 5))
    suite = load_suite(f"{name}-c").model_copy(update={"pixels": PIXELS, "training": None})
    model = Guesser(*range(6), classes=int(name.removeprefix("cifar")))
    result = evaluate(model, suite, tmp_path, data_dir=tmp_path)
    assert result.measured == 96
    for (corruption, severity), record in result.records.items():
        if corruption != "clean":
            images = arrays[corruption][6 * (severity - 1) : 6 * severity]
            assert record.correct_bits().tolist() == model.right(images, [0, 1, 2, 3, 4, 5])
    np.save(folder / "labels.npy", np.tile(np.arange(6, dtype=np.uint8)[::-1], 5))
    with pytest.raises(DataError, match="other images than the clean ones"):
        evaluate(model, suite, tmp_path, data_dir=tmp_path, overwrite=True)


def test_tiny_imagenet_c(tmp_path, photographs):
    """The clean validation images lie in one folder with a list of labels, the corrupted ones in class folders."""
    clean = tmp_path / "tiny-imagenet-200" / "val" / "images"
    clean.mkdir(parents=True)
    lines = []
    for i in range(4):
        wnid = ("n01443537", "n01629819")[i % 2]
        Image.fromarray(photographs[i]).save(clean / f"val_{i}.JPEG", "PNG")
        lines.append(f"val_{i}.JPEG\t{wnid}\t0\t0\t62\t62\n")
        path = tmp_path / "Tiny-ImageNet-C" / "fog" / "3" / wnid / f"val_{i}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - photographs[i]).save(path, "PNG")
    (clean.parent / "val_annotations.txt").write_text("".join(lines))
    suite = load_suite("tiny-imagenet-c").model_copy(update={"pixels": PIXELS})
    model = Guesser(0, 1, classes=2)
    result = evaluate(model, suite, tmp_path, data_dir=tmp_path, corruptions=["fog"], severities=[3])
    for cell, images in ((CLEAN_CELL, photographs), (Cell("fog", 3), 255 - photographs)):
        expected = model.right(images[[0, 2, 1, 3]], [0, 0, 1, 1])
        assert result.records[cell].correct_bits().tolist() == expected


@pytest.mark.parametrize("name", ["imagenet-c-generated", "places365-generated"])
def test_generated_suites_of_large_sets(tmp_path, photographs, name):
    labels, ids = ([0, 0, 999, 999], IMAGES) if name.startswith("imagenet") else ([0, 1, 0, 1], list("0123"))
    if name == "imagenet-c-generated":
        for i, image in enumerate(IMAGES):
            (tmp_path / "val" / image).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(photographs[i]).save(tmp_path / "val" / image, "PNG")
    else:
        (tmp_path / "val_256").mkdir()
        for i in range(4):
            Image.fromarray(photographs[i]).save(tmp_path / "val_256" / f"{i}", "PNG")
        (tmp_path / "places365_val.txt").write_text("".join(f"{i} {i % 2}\n" for i in range(4)))
        (tmp_path / "categories_places365.txt").write_text("/a/abbey 0\n/b/bar 1\n")
    shipped = load_suite(name)
    small = {"image_size": 64, "dataset": shipped.dataset.model_copy(update={"resize": 64}), "pixels": PIXELS}
    suite = shipped.model_copy(update=small)
    model = Guesser(0, labels[-1], classes=labels[-1] + 1)
    result = evaluate(model, suite, tmp_path, data_dir=tmp_path, corruptions=["shot_noise"], seed=3)
    assert result.measured == 6
    assert result.run.protocol.protocol == "generated" and result.run.protocol.engine.startswith("lst-robust")
    for severity in (1, 2, 3, 4, 5):
        noisy = lst_robust.corrupt(photographs, "shot_noise", severity, preset="imagenet", seed=3, ids=ids)
        bits = result.records[Cell("shot_noise", severity)].correct_bits().tolist()
        assert bits == model.right(noisy, labels)
