"""Where a training's checkpoint lies, that it is never another training's, and that it holds numbers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from lst_robust.errors import CheckpointError, DataError, NonFiniteError, UsageError
from lst_robust.models.checkpoint import read_metadata
from lst_robust.runtime.resources import Resources
from lst_robust.suites import PixelStatistics, load_suite
from lst_robust.suites.recipe import Recipe
from lst_robust.training import trained as trained_module
from lst_robust.training.loop import Fitted
from lst_robust.training.planned import Training, plan_training
from lst_robust.training.trained import ensure_trained, find_checkpoint, run_training
from tests.fixtures.shards import jpeg, table, write_parquet, write_tar


def test_a_training_belongs_to_the_pixels_it_saw(draw_images, tmp_path):
    folder = draw_images(0)
    (folder / "test").rename(folder / "train")
    suite = load_suite("imagefolder")
    names = [plan_training("resnet18", suite, data_dir=folder).checkpoint]
    other = draw_images(1)
    (other / "train").rename(tmp_path / "old")
    (other / "test").rename(other / "train")
    names.append(plan_training("resnet18", suite, data_dir=folder).checkpoint)
    assert names[0] != names[1]


def test_a_checkpoint_of_an_earlier_release_is_named_and_not_taken(draw_images, tmp_path):
    folder = draw_images(0)
    (folder / "test").rename(folder / "train")
    training = plan_training("resnet18", load_suite("imagefolder"), data_dir=folder)
    assert find_checkpoint(training, tmp_path) == tmp_path / training.checkpoint
    (tmp_path / training.earlier_checkpoint).write_text("")
    with pytest.raises(CheckpointError, match="--checkpoint, or move it away"):
        find_checkpoint(training, tmp_path)
    (tmp_path / training.checkpoint).write_text("")
    assert find_checkpoint(training, tmp_path) == tmp_path / training.checkpoint


RECIPE = Recipe(epochs=1, max_steps=1, batch_size=16, optimizer="sgd", lr=0.01, weight_decay=0)
RESOURCES = Resources(torch.device("cpu"), 1)


def planned(model: str = "resnet20", **changes) -> Training:
    """Of one step on digits."""
    return plan_training(model, load_suite("digits-c"), options={}, recipe=RECIPE.changed(changes))


def test_a_checkpoint_of_another_training_is_refused_and_one_of_the_same_taken(tmp_path):
    path = tmp_path / "a.safetensors"
    assert ensure_trained(planned(), path, RESOURCES)
    content = path.read_bytes()
    assert not ensure_trained(planned(), path, RESOURCES)
    assert not ensure_trained(planned(evaluate_every=1), path, RESOURCES), "looking does not change the weights"
    for other, words in (
        (planned(seed=1), r"recipe\.seed was 0 and is 1 now"),
        (
            planned(lr=0.1, accumulate=2),
            r"recipe\.accumulate was the default and is 2 now, recipe\.lr was 0\.01 and is 0\.1",
        ),
        (planned("resnet56"), "model was resnet20 and is resnet56 now"),
    ):
        with pytest.raises(
            CheckpointError, match=rf"is there already, and another training made it \({words}.*--overwrite"
        ):
            ensure_trained(other, path, RESOURCES)
    assert path.read_bytes() == content
    assert ensure_trained(planned(seed=1), path, RESOURCES, overwrite=True)
    assert path.read_bytes() != content


def test_a_checkpoint_that_was_not_trained_here_is_refused(tmp_path):
    training = planned()
    trained_module.save_checkpoint(training.build(), tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="is there already, and lst-robust train did not make it: train it again"):
        ensure_trained(training, tmp_path / "a.safetensors", RESOURCES)


def test_a_checkpoint_of_an_earlier_release_is_known_by_what_its_header_says(tmp_path):
    """It did not note the pixels, and did not know all options of today."""
    training = planned()
    model = training.build()
    facts = {"recipe": training.recipe.deciding(), "train_images": training.source.fingerprint()}
    object.__setattr__(model.config, "options", {})
    trained_module.save_checkpoint(model, tmp_path / "a.safetensors", **json.loads(json.dumps(facts)))
    assert not ensure_trained(training, tmp_path / "a.safetensors", RESOURCES)


def test_other_pixel_statistics_are_another_training(tmp_path):
    path = tmp_path / "a.safetensors"
    ensure_trained(planned(), path, RESOURCES)
    training = planned()
    pixels = PixelStatistics(mean=(0.1,) * 3, std=training.suite.pixels.std)
    with pytest.raises(CheckpointError, match=r"another training made it \(pixels\.mean was .* and is \[0\.1, 0\.1"):
        ensure_trained(replace(training, suite=training.suite.model_copy(update={"pixels": pixels})), path, RESOURCES)


def test_the_log_replaces_no_other_file(tmp_path):
    path = tmp_path / "a.safetensors"
    path.with_suffix(".csv").write_text("my,own,table\n")
    with pytest.raises(UsageError, match=r"would replace .*a\.csv, which is another file: move it away"):
        ensure_trained(planned(), path, RESOURCES)
    path.with_suffix(".csv").unlink()
    assert ensure_trained(planned(), path, RESOURCES) and ensure_trained(planned(), path, RESOURCES, overwrite=True)


@pytest.mark.parametrize("name", ["a.safetensors", None])
def test_the_code_of_a_networks_file_belongs_to_its_training(tmp_path, name):
    """Also under the name that depends on the rest alone, so that names of earlier releases stay."""
    code = (
        "from torch import nn\ndef build(num_classes, image_size):\n"
        "    return nn.Sequential({}nn.Linear(3 * image_size**2, num_classes))"
    )
    file = tmp_path / "net.py"
    file.write_text(code.format("nn.Flatten(), "))
    training = planned(f"{file}:build")
    path, old_name = tmp_path / (name or training.checkpoint.name), training.checkpoint.name
    assert ensure_trained(training, path, RESOURCES) and not ensure_trained(training, path, RESOURCES)
    old = training.identity
    file.write_text(code.format("nn.Flatten(), nn.Dropout(), "))
    assert training.checkpoint.name == old_name
    with pytest.raises(CheckpointError, match=r"another training made it \(the network's file was "):
        ensure_trained(training, path, RESOURCES)
    with pytest.raises(CheckpointError, match=r"is another one \(the network's file was "):
        training.identity.require_same(old.fields, path)


def test_the_header_says_what_was_trained_and_not_what_lies_there_afterwards(tmp_path, monkeypatch):
    file = tmp_path / "net.py"
    file.write_text(
        "from torch import nn\ndef build(num_classes, image_size):\n"
        "    return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, num_classes))"
    )
    training, fit = planned(f"{file}:build"), trained_module.fit
    code = training.identity.fields["code"]

    def edited_meanwhile(*arguments, **options):
        file.write_text("edited")
        return fit(*arguments, **options)

    monkeypatch.setattr(trained_module, "fit", edited_meanwhile)
    run_training(training, tmp_path / "a.safetensors", RESOURCES)
    assert read_metadata(tmp_path / "a.safetensors")["code"] == code


def test_test_images_that_choose_the_epoch_belong_to_the_training(tmp_path):
    path = tmp_path / "a.safetensors"
    best = planned(evaluate_every=1, keep="best")
    assert ensure_trained(best, path, RESOURCES) and not ensure_trained(best, path, RESOURCES)
    fewer = replace(best, test=best.test.subset(20))
    assert fewer.checkpoint == best.checkpoint, "names of earlier releases stay"
    for where in (path, tmp_path / best.checkpoint):
        if where != path:
            path.rename(where)
        with pytest.raises(CheckpointError, match=r"another training made it \(the list of test images was "):
            ensure_trained(fewer, where, RESOURCES)
    with pytest.raises(CheckpointError, match=r"is another one \(the list of test images was "):
        fewer.identity.require_same(best.identity.fields, path)
    last = planned(evaluate_every=1)
    assert replace(last, test=fewer.test).identity == last.identity


@pytest.mark.parametrize("best", [False, True])
def test_weights_that_float16_cannot_hold_are_not_written(tmp_path, monkeypatch, best):
    def fitted(model, *_, **__) -> Fitted:
        weights = {key: tensor.clone() for key, tensor in model.state_dict().items()}
        broken = weights if best else model.state_dict()
        broken[next(key for key in broken if key.endswith("running_var"))].fill_(1e6)
        return Fitted("epoch\n", {"epoch": 1, "test_error": 90.0, "model": weights} if best else None)

    monkeypatch.setattr(trained_module, "fit", fitted)
    with pytest.raises(
        NonFiniteError, match=r"the weights .*running_var are too large for float16: store them without"
    ):
        run_training(planned(), tmp_path / "a.safetensors", RESOURCES, half=True)
    assert not list(tmp_path.iterdir())
    run_training(planned(), tmp_path / "a.safetensors", RESOURCES)
    assert (tmp_path / "a.safetensors").is_file()


@pytest.mark.parametrize("form", ["tar", "parquet"])
def test_the_test_images_that_a_training_looks_at_have_its_classes(tmp_path, form):
    """Of shards each split has the classes that are in it, so that the same number means another class."""
    for split, names in (("train", ("cat", "dog", "fish")), ("test", ("dog", "fish"))):
        images = [(name, jpeg(number)) for name in names for number in range(2)]
        if form == "tar":
            files = [(f"{name}/{number}.jpg", image) for number, (name, image) in enumerate(images)]
            write_tar(tmp_path / f"{split}-0.tar", files)
        else:
            rows = [(f"{number}.jpg", image, names.index(name)) for number, (name, image) in enumerate(images)]
            write_parquet(tmp_path / f"{split}-00000-of-00001.parquet", table(rows, names))
    suite = load_suite("imagefolder")
    assert plan_training("resnet20", suite, options={}, recipe=RECIPE, data_dir=tmp_path).test is None
    with pytest.raises(DataError, match=r"training \(cat, dog, fish\) are not those for testing \(dog, fish\)"):
        plan_training("resnet20", suite, options={}, recipe=RECIPE.changed({"evaluate_every": 1}), data_dir=tmp_path)
