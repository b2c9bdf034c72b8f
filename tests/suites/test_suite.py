"""Suites: every shipped file is valid, and every mistake is reported at once with file and key."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lst_robust.benchmark import CORRUPTIONS
from lst_robust.errors import UsageError
from lst_robust.suites import load_suite, suite_names, suites_folder
from lst_robust.suites.normaliser import published_normaliser
from lst_robust.suites.recipe import load_recipe, recipe_names


def written(folder: Path, **changes: object) -> Path:
    """digits-c with some keys changed (None removes one), as a file."""
    data = yaml.safe_load((suites_folder() / "digits-c.yaml").read_text()) | changes
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in data.items() if value is not None}))
    return path


@pytest.mark.parametrize("name", suite_names())
def test_shipped_suites_are_valid_and_named_after_their_file(name):
    suite = load_suite(name)
    assert suite.name == name
    assert suite.corruptions == CORRUPTIONS
    header = (suites_folder() / f"{name}.yaml").read_text().splitlines()[0]
    assert header.startswith("# lst-robust "), "a suite's first line is the command that runs it"


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_are_valid_and_say_how_to_run_them(name):
    assert load_recipe(name).epochs > 0
    header = (suites_folder() / "recipes" / f"{name}.yaml").read_text().splitlines()[0]
    assert header.startswith("# lst-robust train ") and f"--recipe {name}" in header


def test_the_recipe_of_the_released_code():
    recipe = load_suite("cifar10-c").training
    assert recipe == load_recipe("paper-cifar")
    assert (recipe.optimizer, recipe.momentum, recipe.weight_decay, recipe.batch_size) == ("sgd", 0.9, 5e-4, 128)
    assert (recipe.epochs, recipe.lr, recipe.gamma, recipe.milestones) == (160, 0.1, 0.1, (81, 122))
    assert (recipe.augmentation.crop_padding, recipe.augmentation.flip) == (4, True)


def test_a_recipe_by_name_with_other_values(tmp_path):
    training = load_suite(written(tmp_path, training={"recipe": "short", "epochs": 3})).training
    assert training == load_recipe("short").changed({"epochs": 3})


def test_the_published_normaliser_by_name():
    assert load_suite("imagenet-c").normaliser == published_normaliser()
    assert load_suite("imagenet-c-generated").normaliser is None, "it belongs to the official files"


DIGESTS = {
    "ablation-bottleneck-i": "334f5cf48983",
    "ablation-default": "be948316998a",
    "ablation-elu": "0b9c07f76c7a",
    "ablation-init-random": "7ab9be28e485",
    "ablation-leaky-relu": "834810a0948e",
    "ablation-prelu": "e23db7e94f29",
    "ablation-relu": "3626fb82d786",
    "ablation-selu": "cdd3f0b46148",
    "ablation-tau-0": "b4ae51e30afd",
    "ablation-tau-1e-1": "40f3fdf7c1cb",
    "ablation-tau-1e-2": "3396c9d8a164",
    "ablation-tau-1e-3": "6f37aebacc75",
    "ablation-tau-1e-5": "9adaf0086de0",
    "ablation-tau-1e-6": "0dc173e8aa46",
    "cifar10-c": "01cf82c9b309",
    "cifar10-c-generated": "b1e8bb724d09",
    "cifar10-jpeg": "ee287b4924d2",
    "cifar100-c": "a2995f3f98cc",
    "cifar100-c-generated": "ec80fec69eee",
    "digits-c": "685e58f6988d",
    "imagefolder": "af774b236805",
    "imagenet-c": "5f10bdfa0969",
    "imagenet-c-generated": "463deb095821",
    "places365-generated": "9e7c81dbc637",
    "tiny-imagenet-c": "dcedd70cc0d4",
}


def test_the_digests_of_the_shipped_suites_never_change():
    """Records are found by them: another digest would mean that everything is measured again."""
    assert {name: load_suite(name).digest() for name in suite_names()} == DIGESTS


def test_earlier_records_and_checkpoints_keep_their_names():
    """Literal hashes: what was measured and trained with the first release is found again."""
    assert (load_suite("digits-c").digest(), load_suite("imagefolder").digest()) == ("685e58f6988d", "af774b236805")
    deciding = load_suite("digits-c").training.deciding()
    keys = "epochs max_steps batch_size optimizer lr weight_decay momentum schedule milestones gamma label_smoothing"
    assert " ".join(deciding) == f"{keys} augmentation seed"
    assert deciding["augmentation"] == {"crop_padding": 3, "flip": False}


def test_what_decides_the_weights_and_what_does_not():
    short = load_recipe("short")
    watched = short.changed({"evaluate_every": 2})
    assert watched.deciding() == short.deciding()
    assert watched.changed({"keep": "best"}).deciding() != short.deciding()
    assert short.changed({"accumulate": 2}).deciding() != short.deciding()


def test_all_mistakes_are_reported_at_once_with_file_and_key(tmp_path):
    path = written(
        tmp_path, version="one", preset="cifra", corruptions=["snw"], image_size=32.5, epochs=3, dataset={"kind": "zip"}
    )
    with pytest.raises(UsageError) as caught:
        load_suite(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 6
    assert all(line.startswith(f"{path}: ") for line in lines)
    for key in ("version", "preset", "corruptions", "image_size", "epochs", "dataset"):
        assert any(line.startswith(f"{path}: {key}: ") for line in lines), key
    assert "did you mean snow" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"severities": [0, 1]}, "severities are 1 to 5"),
        ({"corruptions": ["fog", "fog"]}, "twice"),
        ({"style": "imagecorruptions", "preset": "cifar"}, "preset 'imagenet' only"),
        ({"training": {"epochs": 0}}, "training.epochs"),
        ({"training": "shrot"}, "training: unknown recipe 'shrot': did you mean short"),
        ({"training": {"recipe": "short", "epoch": 3}}, r"training\.epoch: Extra"),
        ({"training": {"recipe": "short", "keep": "best"}}, "keep: best needs evaluate_every"),
        ({"training": {"recipe": "short", "accumulate": 65}}, "cannot be cut into 65"),
        (
            {"training": {"recipe": "imagenet", "augmentation": {"random_resized_crop": 0.5, "crop_padding": 4}}},
            "exclude",
        ),
        ({"normaliser": "alexnet"}, "normaliser: 'alexnet' is no published normaliser: give alexnet-imagenet-c"),
        ({"dataset": {"kind": "cifar", "name": "cifar11"}}, r"dataset\.name"),
        ({"dataset": {"kind": "imagenet", "resize": 0}}, r"dataset\.resize"),
        ({"protocol": "official"}, "no official files of digits"),
        ({"protocol": "official", "dataset": {"kind": "tiny_imagenet"}, "seed": 1}, "leave out style and seed"),
        ({"name": "../evil"}, "name"),
        ({"description": None}, "Field required"),
        ({"pixels": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5]}}, "pixels.std"),
    ],
)
def test_values_that_cannot_be_meant(tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        load_suite(written(tmp_path, **changes))


def test_aliases_are_refused_before_they_can_expand(tmp_path):
    bomb = tmp_path / "bomb.yaml"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    bomb.write_text("\n".join(lines))
    with pytest.raises(UsageError, match="line 2: aliases"):
        load_suite(bomb)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nname: b\n", "line 2: key 'name' twice"),
        ("- 1\n- 2\n", "expected keys and values, found list"),
        ("", "found NoneType"),
        ("a: [1,\n", "line 2"),
        ("a: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
        ("a: " + "x" * 1_000_001, "too large"),
        ("? [1, 2]\n: 3\n", "line 1"),
    ],
)
def test_files_that_are_no_suite(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_suite(path)


def test_unknown_names_offer_the_nearest(tmp_path):
    with pytest.raises(UsageError, match="did you mean digits-c"):
        load_suite("digit-c")
    with pytest.raises(UsageError, match="cannot be read"):
        load_suite(tmp_path / "missing.yaml")


def test_the_digest_follows_what_decides_the_numbers_only(tmp_path):
    digest = load_suite("digits-c").digest()
    assert load_suite(written(tmp_path, description="other", batch_size=7, training=None)).digest() == digest
    assert load_suite(written(tmp_path, preset="cifar")).digest() != digest
    assert load_suite(written(tmp_path, version=2)).digest() != digest


def test_importing_the_package_and_its_suites_does_not_import_torch():
    code = "import sys, lst_robust; lst_robust.load_suite('digits-c'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
