"""Suites: every shipped file is valid, and every mistake is reported at once with file and key."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lst_robust.benchmark import CORRUPTIONS
from lst_robust.errors import UsageError
from lst_robust.suites import load_suite, suite_names, suites_folder


@pytest.mark.parametrize("name", suite_names())
def test_shipped_suites_are_valid_and_named_after_their_file(name):
    suite = load_suite(name)
    assert suite.name == name
    assert suite.corruptions == CORRUPTIONS
    header = (suites_folder() / f"{name}.yaml").read_text().splitlines()[0]
    assert header.startswith("# lst-robust "), "a suite's first line is the command that runs it"


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
    "fashion-c": "80f711e03263",
    "imagefolder": "af774b236805",
    "imagenet-c": "5f10bdfa0969",
    "imagenet-c-generated": "463deb095821",
    "imagenet-c-jpeg": "0660b0677e5a",
    "places365-generated": "9e7c81dbc637",
    "tiny-imagenet-c": "dcedd70cc0d4",
    "tiny-imagenet-c-jpeg": "2a49d67c5a54",
}


def test_the_digests_of_the_shipped_suites_never_change():
    """Records are found by them: another digest would mean that everything is measured again."""
    assert {name: load_suite(name).digest() for name in suite_names()} == DIGESTS


ABLATIONS = {
    "bottleneck-i": {"bottleneck": "I"},
    "default": {},
    "elu": {"activation": "elu"},
    "init-random": {"init": "random"},
    "leaky-relu": {"activation": "leaky_relu"},
    "prelu": {"activation": "prelu"},
    "relu": {"activation": "relu"},
    "selu": {"activation": "selu"},
    "tau-0": {"tau": 0.0},
    "tau-1e-1": {"tau": 1e-1},
    "tau-1e-2": {"tau": 1e-2},
    "tau-1e-3": {"tau": 1e-3},
    "tau-1e-5": {"tau": 1e-5},
    "tau-1e-6": {"tau": 1e-6},
}


def test_an_ablation_is_cifar_100_with_one_option():
    """The digest does not hold the options and the recipe, which decide the network."""
    assert {name.removeprefix("ablation-") for name in suite_names() if name.startswith("ablation-")} == set(ABLATIONS)
    base = load_suite("cifar100-c-generated")
    for name, options in ABLATIONS.items():
        suite = load_suite(f"ablation-{name}")
        own = {"name": suite.name, "description": suite.description, "model_options": options}
        assert suite == base.model_copy(update=own)


@pytest.mark.parametrize("name", ["cifar10-c", "cifar100-c", "imagenet-c"])
def test_official_files_differ_from_generated_ones_in_protocol_and_normaliser(name):
    suite, generated = load_suite(name), load_suite(f"{name}-generated")
    own = {key: getattr(suite, key) for key in ("name", "description", "normaliser")}
    assert suite == generated.model_copy(update={**own, "protocol": "official"})


@pytest.mark.parametrize("name", ["imagenet-c", "tiny-imagenet-c"])
def test_jpeg_in_memory_is_a_protocol_beside_the_official_files(name):
    official, jpeg = load_suite(name), load_suite(f"{name}-jpeg")
    own = {key: getattr(jpeg, key) for key in ("name", "description")}
    assert jpeg == official.model_copy(update={**own, "protocol": "generated-jpeg"}), "with the same normaliser"
    assert jpeg.keeps_squares and official.keeps_squares and not load_suite("imagenet-c-generated").keeps_squares


def test_jpeg_in_memory_draws_its_noise_by_a_seed(written):
    assert load_suite(written(protocol="generated-jpeg", seed=7)).seed == 7


def test_all_mistakes_are_reported_at_once_with_file_and_key(written):
    path = written(
        version="one", preset="cifra", corruptions=["snw"], image_size=32.5, epochs=3, dataset={"kind": "zip"}
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
def test_values_that_cannot_be_meant(written, changes, message):
    with pytest.raises(UsageError, match=message):
        load_suite(written(**changes))


def test_unknown_names_offer_the_nearest(tmp_path):
    with pytest.raises(UsageError, match="did you mean digits-c"):
        load_suite("digit-c")
    with pytest.raises(UsageError, match="cannot be read"):
        load_suite(tmp_path / "missing.yaml")


def test_the_digest_follows_what_decides_the_numbers_only(written):
    digest = load_suite("digits-c").digest()
    assert load_suite(written(description="other", batch_size=7, training=None)).digest() == digest
    assert load_suite(written(preset="cifar")).digest() != digest
    assert load_suite(written(version=2)).digest() != digest


def test_importing_the_package_and_its_suites_does_not_import_torch():
    code = "import sys, lst_robust; lst_robust.load_suite('digits-c'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
