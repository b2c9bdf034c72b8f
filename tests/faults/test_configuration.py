"""Suites, flags, variables and other people's code that cannot be meant: one line, what to do, the documented code."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from lst_robust.suites import load_suite, suites_folder
from tests.faults.conftest import CELLS, refused
from tests.fixtures.commands import parsed
from tests.fixtures.processes import ALEXNET

DIGITS = yaml.safe_load((suites_folder() / "digits-c.yaml").read_text())
PIXELS = {"mean": [0.5] * 3, "std": [0.5] * 3}


def changed(**changes: object) -> str:
    return yaml.safe_dump(DIGITS | changes)


def bomb(depth: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    return "\n".join(lines + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, depth)])


SUITES = {
    "alias bomb": (bomb(30), "aliases (*name) are not allowed"),
    "merge bomb": ("a: &a {b: 1}\nc:\n  <<: *a\n", "aliases (*name) are not allowed"),
    "a loop of aliases": ("a: &a [*a]", "aliases (*name) are not allowed"),
    "a tag with code": ("a: !!python/object/apply:os.system ['touch ran']", "could not determine a constructor"),
    "a tag with a name": ("a: !!python/name:os.system ''", "could not determine a constructor"),
    "nesting without end": ("[" * 20_000, "recursion"),
    "nesting of keys": ("{a: " * 20_000, "recursion"),
    "too much text": ("a: " + "x" * 1_000_001, "too large"),
    "empty": ("", "found NoneType"),
    "a list": ("- 1", "found list"),
    "a number": ("7", "found int"),
    "two documents": ("a: 1\n---\nb: 2\n", "document"),
    "a zero byte": ("a: \0", "special characters are not allowed"),
    "bytes": (b"\xff\xfe\x00\xd8" * 9, "utf"),
    "not UTF-8": (b"name: caf\xe9\n", "invalid continuation byte"),
    "a date that cannot be": ("a: 2024-13-45", "month must be in 1..12"),
    "a number of too many digits": ("a: " + "9" * 5000, "digits"),
    "tabs": ("a:\n\t- 1", "line 2"),
    "an open bracket": ("a: [1,\n", "line 2"),
    "a key twice": ("name: a\nname: b\n", "key 'name' twice"),
    "a key that is a list": ("? [1, 2]\n: 3\n", "a key must be plain text"),
    "an unknown key": (changed(sevrities=[1]), "sevrities: "),
    "an unknown key with a line break": (changed(**{"a\nb": 1}), r"a\nb: "),
    "a text for a number": (changed(image_size="32"), "image_size: "),
    "a float for a number": (changed(image_size=32.5), "image_size: "),
    "a truth for a number": (changed(limit=True), "limit: "),
    "a number beyond": (changed(image_size=10**30), "image_size: "),
    "a negative limit": (changed(limit=-5), "limit: "),
    "a limit of none": (changed(limit=0), "limit: "),
    "a negative seed": (changed(seed=-1), "seed: "),
    "no batch": (changed(batch_size=0), "batch_size: "),
    "no corruption": (changed(corruptions=[]), "corruptions: "),
    "a corruption of another name": (changed(corruptions=["fogg"]), "did you mean fog"),
    "a corruption for a text": (changed(corruptions="fog"), "corruptions: "),
    "a severity beyond": (changed(severities=[6]), "severities are 1 to 5"),
    "severities by the thousand": (changed(severities=list(range(5_000))), "severities are 1 to 5"),
    "no data set": (changed(dataset={"kind": "zip"}), "dataset: "),
    "a data set without a kind": (changed(dataset={}), "dataset: "),
    "an option of another data set": (changed(dataset={"kind": "digits", "resize": 64}), "resize"),
    "a deviation of nothing": (changed(pixels=PIXELS | {"std": [0.5, 0, 0.5]}), "larger than 0"),
    "a negative deviation": (changed(pixels=PIXELS | {"std": [-1, 1, 1]}), "larger than 0"),
    "a mean that is no number": (changed(pixels=PIXELS | {"mean": [float("nan")] * 3}), "pixels.mean"),
    "an infinite deviation": (changed(pixels=PIXELS | {"std": [float("inf")] * 3}), "pixels.std"),
    "four channels": (changed(pixels={"mean": [0.5] * 4, "std": [0.5] * 4}), "pixels.mean"),
    "a name that leads away": (changed(name="../../etc"), "name: "),
    "a name with a line break": (changed(name="a\nb"), "name: "),
    "a name that is too long": (changed(name="a" * 300), "name: "),
    "no name": (changed(name=""), "name: "),
    "options of options": (changed(model_options={"stem": {"a": 1}}), "model_options"),
    "an infinite learning rate": (changed(training=DIGITS["training"] | {"lr": float("inf")}), "training.lr: "),
    "a training seed beyond": (changed(training=DIGITS["training"] | {"seed": 2**64}), "training.seed: "),
    "training without steps": (changed(training=DIGITS["training"] | {"max_steps": 0}), "training.max_steps: "),
    "an unknown recipe": (changed(training="/etc/passwd"), "unknown recipe"),
    "a recipe of a folder": (changed(training="recipes.yaml"), "recipes.yaml"),
    "a normaliser that errs never": (
        changed(normaliser=DIGITS["normaliser"] | {"errors": {"fog": [0] * 5}}),
        "all five errors are 0",
    ),
    "a normaliser that is no number": (
        changed(normaliser=DIGITS["normaliser"] | {"clean_error": float("nan")}),
        "normaliser.clean_error",
    ),
    "official files that there are none of": (changed(protocol="official"), "no official files of digits"),
}


@pytest.mark.parametrize(
    ("command", "name"),
    [("suites", name) for name in SUITES]
    + [
        (command, name)
        for command in ("eval", "train", "corrupt")
        for name in ("alias bomb", "an unknown key", "empty")
    ],
)
def test_a_suite_that_cannot_be_meant_is_refused_with_file_and_reason(run, name, command):
    content, words = SUITES[name]
    Path("recipes.yaml").mkdir()
    Path("my suite.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    options = {"suites": (), "eval": (*ALEXNET, "-s"), "train": ("-m", "alexnet", "-s"), "corrupt": ("out", "--suite")}
    result = run(command, *options[command], "my suite.yaml")
    assert (result.exit_code, result.stdout) == (2, ""), result.stderr
    first, *more = result.stderr.splitlines()
    assert first.startswith("error: my suite.yaml") and words.lower() in result.stderr.lower(), result.stderr
    assert all(line.startswith("my suite.yaml") for line in more), "a line a mistake"
    assert "error: unexpected" not in first and len(result.stderr) < 1_000
    assert not Path("ran").exists() and not Path("results").exists()


@pytest.mark.parametrize("place", ["folder", "nowhere", "loop", "pipe", "device", "zero byte", "too long", "empty"])
@pytest.mark.parametrize("suffix", [".yaml", ""])
def test_what_is_no_file_is_no_suite(run, place, suffix):
    path = Path(f"a{suffix}")
    if place == "folder":
        path.mkdir()
    elif place == "loop":
        path.symlink_to(path)
    elif place == "pipe":
        os.mkfifo(path)
    elif place == "device":
        path.symlink_to("/dev/zero")
    elif place == "zero byte":
        path = Path(f"a\0b{suffix}")
    elif place == "too long":
        path = Path("a" * 5000 + suffix)
    words = "give a known name or a YAML file" if suffix else "unknown suite"
    refused(run("suites", "" if place == "empty" and not suffix else str(path)), 2, words)


@pytest.mark.parametrize("option", ["--recipe", "--normaliser"])
@pytest.mark.parametrize("name", ["alias bomb", "nesting without end", "bytes", "a list", "a date that cannot be"])
def test_recipes_and_normalisers_are_read_as_strictly(run, option, name):
    content = SUITES[name][0]
    Path("a.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    asked = ("train", "-m", "alexnet") if option == "--recipe" else ("eval", *ALEXNET)
    refused(run(*asked, option, "a.yaml"), 2, "a.yaml")


EVAL = ("eval", *ALEXNET, "-s", "tiny.yaml")
TRAIN = ("train", "-m", "alexnet", "-s", "tiny.yaml")
CORRUPT = ("corrupt", "--suite", "tiny.yaml", "out")
CONVERT = ("convert", ALEXNET[-1], "out.safetensors", "-m", "alexnet")

FLAGS = [
    ((*EVAL, "--workers", "0"), 2, "workers is 0: give a whole number from 1 to 10,000"),
    ((*EVAL, "-j", "-3"), 2, "workers is -3"),
    ((*EVAL, "--batch-size", "0"), 2, "batch_size is 0: give a whole number of at least 1"),
    ((*EVAL, "-b", "-7"), 2, "batch_size is -7"),
    ((*EVAL, "--limit", "0"), 2, "limit is 0: give a whole number of at least 1"),
    ((*EVAL, "--limit", "-1"), 2, "limit is -1"),
    ((*EVAL, "--seed", "-1"), 2, "seed is -1: give a whole number of at least 0"),
    ((*EVAL, "--severities", "0"), 2, "severity 0 is outside 1..5"),
    ((*EVAL, "--severities", "1-99999999999999"), 2, "severity 99999999999999 is outside 1..5"),
    ((*EVAL, "--severities", "5-1"), 2, "give the smaller number first, as in 1-5"),
    ((*EVAL, "--severities", ""), 2, "give numbers and ranges such as 1,3 or 1-5"),
    ((*EVAL, "--severities", "1-2-3"), 2, "give numbers and ranges"),
    ((*EVAL, "--severities", "-1"), 2, "give numbers and ranges"),
    ((*EVAL, "--corruptions", ""), 2, "corruptions is empty: give at least one"),
    ((*EVAL, "--corruptions", " , ,"), 2, "corruptions is empty: give at least one"),
    ((*EVAL, "--corruptions", "fog;ls"), 2, "unknown corruption 'fog;ls'"),
    ((*EVAL, "--corruptions", "a\nb"), 2, r"unknown corruption 'a\nb'"),
    ((*EVAL, "--device", ""), 2, "choose auto, cpu, cuda"),
    ((*EVAL, "--device", "meta"), 2, "choose auto, cpu, cuda"),
    ((*EVAL, "--device", "mps"), 2, "choose auto, cpu, cuda"),
    ((*EVAL, "--device", "xla:1"), 2, "choose auto, cpu, cuda"),
    ((*EVAL, "--device", "cuda:99"), 2, "use --device auto"),
    ((*EVAL, "--set", "=1"), 2, "give KEY=VALUE"),
    ((*EVAL, "--set", "image_size=64"), 2, "image_size is set by the suite"),
    ((*EVAL, "--set", "stem=7x7"), 2, "choose from auto"),
    ((*EVAL, "--normaliser", ""), 2, "choose suite, none, alexnet-imagenet-c, alexnet-testbed"),
    ((*EVAL, "--normaliser", "no.yaml"), 2, "no.yaml: cannot be read"),
    ((*EVAL, *CELLS, "--write-normaliser", "n.yaml"), 2, "a normaliser needs all 96 cells"),
    (("eval", "-m", "alexnet", "-s", "tiny.yaml", "--train-seed", "-1"), 2, "train_seed is -1"),
    (
        ("eval", "-m", "alexnet", "-s", "tiny.yaml", "--train-seed", str(2**70)),
        2,
        "train_seed is 1180591620717411303424",
    ),
    (("eval", "-m", "alexnet", "-s", "tiny.yaml", "--no-train"), 3, "--checkpoint, or let it be trained with --train"),
    (("eval", "-m", "", "-s", "tiny.yaml"), 2, "unknown model ''"),
    (("eval", "-m", "a\nb", "-s", "tiny.yaml"), 2, r"unknown model 'a\nb'"),
    (("eval", "-m", ":", "-s", "tiny.yaml"), 2, "with a colon it must be"),
    (("eval", "-m", "torchvision:", "-s", "tiny.yaml"), 2, "unknown torchvision model ''"),
    (("eval", "-m", "torchvision:alexnet", "-s", "tiny.yaml", "--set", "weights=NO"), 2, "IMAGENET1K_V1"),
    ((*TRAIN, "-j", "0"), 2, "workers is 0"),
    ((*TRAIN, "-b", "0"), 2, "batch_size: "),
    ((*TRAIN, "--epochs", "0"), 2, "epochs: "),
    ((*TRAIN, "--lr", "nan"), 2, "lr: "),
    ((*TRAIN, "--lr", "inf"), 2, "lr: "),
    ((*TRAIN, "--lr", "1e30"), 3, "lower the recipe's lr"),
    ((*TRAIN, "--seed", "-1"), 2, "seed: "),
    ((*TRAIN, "--seed", str(2**63)), 2, "seed: "),
    ((*TRAIN, "--device", "meta"), 2, "choose auto, cpu, cuda"),
    ((*TRAIN, "--set", "image_size=64"), 2, "image_size is set by the suite"),
    ((*TRAIN, "--recipe", ""), 2, "unknown recipe ''"),
    ((*TRAIN, "--recipe", "r" * 5000), 2, "unknown recipe"),
    ((*TRAIN, "--out", ""), 2, "give a file that ends in .safetensors"),
    ((*TRAIN, "--out", "w.pth"), 2, "give a file that ends in .safetensors"),
    ((*TRAIN, "--out", "folder.safetensors"), 2, "cannot be written (it is a folder)"),
    ((*CORRUPT, "-j", "0"), 2, "workers is 0"),
    ((*CORRUPT, "--seed", "-1"), 2, "seed is -1"),
    ((*CORRUPT, "--severities", "1-99999999999999"), 2, "outside 1..5"),
    ((*CORRUPT, "--size", "32"), 2, "leave out --size"),
    ((*CORRUPT, "--preset", "x"), 2, "choose from cifar, imagenet, tiny-imagenet"),
    ((*CORRUPT, "--format", "npy", "--image-format", "png"), 2, "leave out --image-format"),
    ((*CORRUPT, "more"), 2, "2 paths given: the call is"),
    (("corrupt", "nowhere", "out"), 3, "no image folder nowhere"),
    (("corrupt", "a-file", "out"), 3, "no image folder a-file"),
    (("corrupt", ".", "out", "--size", "9" * 5000), 2, "a number of pixels from 16 to 4096"),
    (("corrupt", ".", "out", "--size", "-5"), 2, "a number of pixels from 16 to 4096"),
    (("corrupt", "--suite", "tiny.yaml", "a-file", *CELLS), 2, "choose a new or empty folder"),
    (("corrupt", "--verify", "nowhere"), 3, "name a folder that lst-robust corrupt has written"),
    (("corrupt", "--verify", "a-file"), 3, "name a folder that lst-robust corrupt has written"),
    (("corrupt", "--sheet", "s.png", "a-file"), 3, "a-file cannot be read as an image"),
    (("corrupt", "--sheet", "s.png", "nowhere"), 3, "nowhere cannot be read as an image"),
    ((*CONVERT, "--num-classes", "0"), 2, "num_classes is 0: give a whole number from 1"),
    ((*CONVERT, "--num-classes", "99999999999"), 2, "to 1,000,000"),
    ((*CONVERT, "--classes", "a,a"), 2, "a class is named twice"),
    ((*CONVERT, "--num-classes", "10", "--classes", "a,b"), 2, "2 class names for 10 classes"),
    (("convert", "a-file", "out.safetensors", "-m", "alexnet"), 3, "a-file is damaged"),
    (("convert", ".", "out.safetensors", "-m", "alexnet"), 3, "no checkpoint at ."),
    (("convert", ALEXNET[-1], "folder.safetensors", "-m", "alexnet"), 2, "cannot be written (it is a folder)"),
    (("convert", ALEXNET[-1], "out.pth", "-m", "alexnet"), 2, "must end in .safetensors"),
    (("data", "verify", "digits-c", "-j", "0"), 2, "workers is 0"),
    (("data", "verify", "nowhere"), 2, "unknown suite"),
    (("data", "get", "digits-c", "--data-dir", "d"), 2, "nothing to download"),
    (("data", "get", "cifar10-c", "--data-dir", "a-file"), 3, "could not be downloaded"),
    (("table", "-s", "tiny.yaml"), 5, "measure a model first"),
    (("table", "--results-dir", "a-file"), 5, "measure a model first"),
    (("models", ""), 2, "unknown model ''"),
    (("models", "a-file.py:f"), 2, "there is no file a-file.py"),
    (("suites", "digit-c"), 2, "did you mean digits-c"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), FLAGS, ids=[" ".join(a)[:60] for a, _, _ in FLAGS])
def test_what_cannot_be_meant_is_one_line_with_the_mend_and_its_code(run, tiny, arguments, code, words):
    Path("a-file").write_text("")
    Path("folder.safetensors").mkdir()
    refused(run(*arguments), code, words)


@pytest.mark.parametrize("name", ["LIMIT", "WORKERS", "BATCH_SIZE", "SEED"])
@pytest.mark.parametrize("value", ["many", "1.5", ""])
def test_a_variable_that_cannot_be_meant_is_named(run, tiny, name, value):
    result = run(*EVAL, *CELLS, **{f"LST_ROBUST_{name}": value})
    if value == "":  # as if it were not set
        assert result.exit_code == 0, result.stderr
    else:
        assert result.exit_code == 2 and f"LST_ROBUST_{name}" in result.stderr and result.stdout == ""


def test_a_choice_of_kernels_that_there_is_not(run, tiny):
    refused(run(*EVAL, *CELLS, LST_ROBUST_CORRUPTION_KERNELS="turbo"), 2, "set it to 'fast' or 'plain'")
    both = "LST_ROBUST_CORRUPTION_KERNELS or LST_ROBUST_LST_KERNELS"
    refused(run(*EVAL, *CELLS, LST_ROBUST_KERNELS="plain"), 2, "LST_ROBUST_KERNELS is no longer read", both)


CODE = {
    "raises": ("raise ValueError('a\\nb')", "failed (ValueError: a b): correct its code"),
    "leaves": ("raise SystemExit(0)", "failed (SystemExit: 0): correct its code"),
    "returns nothing": ("pass", "returned a NoneType: it must return an nn.Module"),
    "has other arguments": ("return model(num_classes, lr)", "failed (NameError"),
    "makes too few logits": (
        "return Net(num_classes - 1)",
        "makes (2, 9) of two images: it must make a tensor (2, 10)",
    ),
    "makes a tuple": ("return Net(num_classes, lambda y: (y, y))", "makes a tuple of two images"),
    "makes too many axes": ("return Net(num_classes, lambda y: y[None])", "makes (1, 2, 10) of two images"),
    "takes no images": ("return nn.Linear(7, 10)", "failed (RuntimeError"),
}


@pytest.mark.parametrize("name", CODE)
@pytest.mark.parametrize("command", ["eval", "train"])
def test_anothers_code_that_makes_no_classifier_is_refused(run, tiny, name, command):
    body, words = CODE[name]
    Path("net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, n, after=lambda y: y):\n"
        "        super().__init__(); self.fc, self.after = nn.Linear(3, n), after\n"
        "    def forward(self, x): return self.after(self.fc(x.mean((2, 3))))\n"
        f"def build(num_classes, image_size):\n    {body}\n"
    )
    result = run(command, "-m", "net.py:build", "-s", str(tiny))
    refused(result, 2, "net.py:build", words)


@pytest.mark.parametrize(("model", "reason"), [("vit_b_16", "Wrong image height"), ("inception_v3", "Kernel size")])
def test_a_network_that_cannot_take_the_suites_images_is_refused(run, tiny, model, reason):
    """One has a single size, the other a smallest."""
    result = run("eval", "-m", f"torchvision:{model}", "-s", str(tiny))
    refused(result, 2, "cannot take images of 32 pixels", reason, "choose a suite of another size")


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_network_with_more_outputs_while_it_trains_is_trained_on_the_first(run, tiny):
    made = run("train", "-m", "torchvision:googlenet", "-s", str(tiny))
    assert made.exit_code == 0, made.stderr


NOT_ASCII = "größe  猫 [x] %s"


def test_paths_with_spaces_brackets_and_any_script(run, tiny, pets, weights):
    folder = Path(NOT_ASCII)
    folder.mkdir()
    suite = (folder / "pets 1.yaml").write_text(Path("pets.yaml").read_text()) and folder / "pets 1.yaml"
    data, model = pets.rename(folder / "data"), folder / "net 1.py"
    checkpoint = folder / "w 1.safetensors"
    checkpoint.write_bytes(weights.read_bytes())
    model.write_text(
        "from torch import nn\ndef build(num_classes, image_size): return nn.Sequential(nn.Flatten(), "
        "nn.Linear(3 * image_size**2, num_classes))\n"
    )
    asked = ("-s", str(suite), "--data-dir", str(data), "--json", "--results-dir", str(folder / "results"))
    measured = parsed(run("eval", "-m", "resnet20", "--checkpoint", str(checkpoint), *asked, *CELLS))
    assert measured["n"] == 4
    assert parsed(run("eval", "-m", f"{model}:build", *asked, *CELLS))["n"] == 4
    trained = parsed(run("train", "-m", "resnet20", *asked, "--out", str(folder / "new 1.safetensors")))
    assert Path(trained["checkpoint"]).is_file()
    converted = parsed(run("convert", str(checkpoint), str(folder / "c 1.safetensors"), "-m", "resnet20", "--json"))
    assert Path(converted["checkpoint"]).is_file()
    assert parsed(run("corrupt", str(data), str(folder / "out 1"), *CELLS, "--json"))["images"] == 4
    assert parsed(run("corrupt", "--verify", str(folder / "out 1"), "--json"))["ok"]
    assert (
        len(json.loads(run("table", "-s", str(suite), "--results-dir", str(folder / "results"), "--json").stdout)) == 2
    )
    assert run("data", "verify", str(suite), "--data-dir", str(data)).exit_code == 0


def test_a_network_without_weights_is_not_trained(run, tiny):
    Path("net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def forward(self, x): return x.flatten(1)[:, :10]\n"
        "def build(num_classes, image_size): return Net()\n"
    )
    refused(run("train", "-m", "net.py:build", "-s", str(tiny)), 2, "has no weights to train")


def test_a_description_in_brackets_is_no_markup(run):
    Path("a.yaml").write_text(changed(description="[/bold] [red]"))
    result = run("suites", "a.yaml")
    assert result.exit_code == 0 and "[/bold] [red]" in result.stdout
    assert yaml.safe_load(result.stdout)["description"] == "[/bold] [red]", "what is shown can be read back"


def test_the_suites_above_differ_from_one_that_is_fine(run):
    Path("a.yaml").write_text(changed())
    assert load_suite("a.yaml") == load_suite("digits-c")
