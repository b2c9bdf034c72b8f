"""`lst-robust train` as a person uses it: recipes by name, several epochs looked at, and being killed."""

from __future__ import annotations

import csv
import signal
import time
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from lst_robust.models import read_checkpoint
from lst_robust.suites import suites_folder
from lst_robust.training.state import TrainingState
from tests.fixtures.commands import command, parsed


@pytest.fixture
def pets(tmp_path, photographs) -> Path:
    """A suite of 32 images for training and 8 for testing, of two classes, with 12 epochs of two steps."""
    for split, count in (("train", 16), ("test", 4)):
        for label, name in enumerate(("cat", "dog")):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for i in range(count):
                crop = photographs[i % 4, i : 40 + i, 8 * label : 40 + 2 * i]  # of any sizes
                Image.fromarray(crop).save(tmp_path / "data" / split / name / f"{i}.png")
    data = yaml.safe_load((suites_folder() / "imagefolder.yaml").read_text()) | {"model_options": {}}
    data["training"] |= {"epochs": 12, "batch_size": 16}
    (tmp_path / "pets.yaml").write_text(yaml.safe_dump(data | {"name": "pets"}))
    return tmp_path / "pets.yaml"


TRAIN = ("train", "-m", "resnet20", "-s", "pets.yaml", "--data-dir", "data")


@pytest.fixture
def one_thread():
    """Sums in the order of the processes that these tests start."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_killed_and_started_again_it_ends_with_the_same_weights(run, pets, tmp_path, one_thread):
    asked = (*TRAIN, "--evaluate-every", "5", "-j", "1", "--json")
    process = command(*asked, "--results-dir", "killed", folder=tmp_path)
    deadline = time.monotonic() + 100
    while not list((tmp_path / "killed").rglob("*.resume")):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    resumed = run(*asked, "--results-dir", "killed")
    assert "going on after epoch" in resumed.stderr
    assert parsed(resumed)["sha256"] == parsed(run(*asked, "--results-dir", "whole"))["sha256"]
    (log,) = (tmp_path / "killed").rglob("*.csv")
    rows = list(csv.DictReader(log.read_text().splitlines()))
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, 13)]
    assert [row["epoch"] for row in rows if row["test_error"]] == ["5", "10", "12"]


def test_an_interrupted_training_can_be_started_over(run, pets, tmp_path):
    asked = (*TRAIN, "--epochs", "1", "--out", "a.safetensors")
    (tmp_path / "a.resume").write_bytes(b"of another model")
    assert run(*asked).exit_code == 3
    assert run(*asked, "--no-resume").exit_code == 0


@pytest.fixture
def interrupted(run, monkeypatch):
    """interrupted("train", ...) -> what it says when Ctrl-C ends it after its first epoch."""
    save = TrainingState.save

    def call(*arguments: str) -> str:
        def saving(state: TrainingState, *where: object) -> None:
            save(state, *where)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(TrainingState, "save", saving)
            result = run(*arguments)
        assert result.exit_code == 130, result.stderr
        return result.stderr.splitlines()[-1]

    return call


TWO_EPOCHS = (*TRAIN, "--epochs", "2", "--out", "a.safetensors")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (("--seed", "1"), "recipe.seed was 0 and is 1 now"),
        (("--epochs", "6"), "recipe.epochs was 2 and is 6 now"),
        (("--epochs", "1"), "recipe.epochs was 2 and is 1 now"),
        (("--lr", "0.5"), "recipe.lr was"),
        (("-m", "resnet56"), "model was resnet20 and is resnet56 now"),
    ],
)
def test_only_the_same_training_goes_on(run, pets, interrupted, other, words):
    interrupted(*TWO_EPOCHS)
    left = Path("a.resume").read_bytes()
    refused = run(*TWO_EPOCHS, *other)
    assert refused.exit_code == 3 and len(refused.stderr.splitlines()) == 1
    assert f"a.resume: the interrupted training in this file is another one ({words}" in refused.stderr
    assert "--no-resume" in refused.stderr and "--out" in refused.stderr
    assert Path("a.resume").read_bytes() == left and not Path("a.safetensors").exists()


def test_a_training_does_not_go_on_with_other_images(run, pets, interrupted):
    interrupted(*TWO_EPOCHS)
    Image.new("RGB", (40, 40)).save("data/train/cat/0.png")
    refused = run(*TWO_EPOCHS)
    assert refused.exit_code == 3 and "is another one (the images' content was" in refused.stderr


def test_the_same_training_goes_on_and_another_one_can_start_anew(run, pets, interrupted):
    whole = parsed(run(*TWO_EPOCHS[:-1], "whole.safetensors", "--json"))["sha256"]
    for more in ((), ("--evaluate-every", "1")):  # which changes no weights
        interrupted(*TWO_EPOCHS)
        went_on = run(*TWO_EPOCHS, *more, "--json")
        assert "going on after epoch 1 of 2" in went_on.stderr and parsed(went_on)["sha256"] == whole
        Path("a.safetensors").unlink()
    interrupted(*TWO_EPOCHS)
    anew = run(*TWO_EPOCHS, "--seed", "1", "--no-resume", "--json")
    assert "going on" not in anew.stderr and parsed(anew)["sha256"] != whole
    assert read_checkpoint("a.safetensors")[1]["train_seed"] == 1


def test_what_an_earlier_release_left_goes_on_where_its_name_tells_which_training_it_is(run, pets, interrupted):
    at_its_place = (*TRAIN, "--epochs", "2")
    for asked in (TWO_EPOCHS, at_its_place):
        interrupted(*asked)
    for path in Path().rglob("*.resume"):
        saved = torch.load(path, weights_only=True)
        del saved["identity"]
        torch.save(saved, path)
    refused = run(*TWO_EPOCHS)
    assert refused.exit_code == 3 and "an earlier release left this interrupted training" in refused.stderr
    assert "going on after epoch 1 of 2" in run(*at_its_place).stderr


def test_a_training_that_overwrites_goes_on_as_well(run, pets, interrupted):
    first = parsed(run(*TWO_EPOCHS, "--json"))
    assert interrupted(*TWO_EPOCHS, "--overwrite").endswith("the same command goes on from there")
    again = run(*TWO_EPOCHS, "--overwrite", "--json")
    assert "going on after epoch 1 of 2" in again.stderr
    assert parsed(again) == first
    assert "going on" not in run(*TWO_EPOCHS, "--overwrite").stderr, "the training before is finished"
    said = interrupted(*TWO_EPOCHS, "--overwrite", "--no-resume")
    assert said == "error: interrupted; the same command starts anew"


def test_a_checkpoint_of_another_training_is_not_handed_out_as_this_one(run, pets):
    asked = (*TRAIN, "--epochs", "1", "--out", "a.safetensors", "--json")
    first = parsed(run(*asked))
    other = run(*asked, "--seed", "1")
    assert (other.exit_code, other.stdout) == (3, "")
    assert other.stderr.splitlines() == [
        "error: a.safetensors is there already, and another training made it (recipe.seed was 0 and is 1 now): train "
        "it again with lst-robust train --overwrite, or give another --out"
    ]
    assert parsed(run(*asked)) == first | {"trained": False}
    assert parsed(run(*asked, "--seed", "1", "--overwrite"))["trained"]


def test_the_best_epoch_is_kept_beside_the_last_one(run, pets):
    asked = (*TRAIN, "--epochs", "4", "--keep", "best")
    refused = run(*asked)
    assert refused.exit_code == 2 and "evaluate_every" in refused.stderr
    made = run(*asked, "--evaluate-every", "1", "--out", "a.safetensors")
    assert made.exit_code == 0, made.stderr
    errors = [float(row["test_error"]) for row in csv.DictReader(Path("a.csv").read_text().splitlines())]
    weights, metadata = read_checkpoint("a.safetensors")
    chosen = metadata["chosen_by_test_error"]
    assert (chosen["epoch"], chosen["test_error"]) == (errors.index(min(errors)) + 1, pytest.approx(min(errors)))
    last, metadata = read_checkpoint("a.last.safetensors")
    assert "chosen_by_test_error" not in metadata
    same = all(torch.equal(last[key], weights[key]) for key in weights)
    assert same == (chosen["epoch"] == 4)
    measured = run("eval", *TRAIN[1:], "--checkpoint", "a.safetensors", "--corruptions", "contrast", "--json")
    assert parsed(measured)["clean_error"] == pytest.approx(min(errors))


def test_a_recipe_by_name_in_place_of_the_suites(run, pets):
    made = parsed(
        run(*TRAIN, "--recipe", "short", "--epochs", "1", "--accumulate", "2", "--out", "a.safetensors", "--json")
    )
    expected = {"optimizer": "sgd", "schedule": "one_cycle", "epochs": 1, "batch_size": 128, "accumulate": 2}
    assert made["recipe"] | expected == made["recipe"]
    unknown = run(*TRAIN, "--recipe", "shrot")
    assert unknown.exit_code == 2 and "did you mean short" in unknown.stderr


def test_a_suite_without_a_recipe_names_those_there_are(run):
    result = run("train", "-m", "alexnet", "-s", "imagenet-c")
    assert result.exit_code == 2 and "--recipe (imagenet, paper-cifar, short)" in result.stderr
    result = run("eval", "-m", "alexnet", "-s", "imagenet-c", "--data-dir", "nowhere")
    assert result.exit_code == 3 and "nowhere" in result.stderr


def test_the_imagenet_recipe_cuts_from_whole_images_whatever_the_threads(run, pets):
    asked = (*TRAIN, "--recipe", "imagenet", "--epochs", "2", "--lr", "0.001", "--json")
    made = [parsed(run(*asked, "-j", threads, "--out", f"{threads}.safetensors")) for threads in ("1", "3")]
    assert made[0]["sha256"] == made[1]["sha256"]
    assert made[0]["recipe"]["augmentation"]["random_resized_crop"] == 0.08


def test_train_writes_a_checkpoint_and_does_not_do_it_twice(run, tiny):
    asked = ("train", "-m", "alexnet", "-s", str(tiny), "--json")
    first = parsed(run(*asked))
    path = Path(first["checkpoint"])
    assert first["trained"]
    assert path.with_suffix(".csv").read_text().startswith("epoch,loss")
    assert not list(path.parent.glob("*.resume"))
    _, metadata = read_checkpoint(path)
    assert metadata["model"] == "alexnet"
    assert metadata["classes"] == [str(digit) for digit in range(10)]
    again = run(*asked)
    assert not parsed(again)["trained"]
    assert "--overwrite" in again.stderr
    assert parsed(run(*asked, "--overwrite"))["sha256"] == first["sha256"]


def test_train_takes_its_own_settings(run, tiny):
    asked = ("train", "-m", "alexnet", "-s", str(tiny), "--epochs", "2", "--lr", "0.001", "-b", "8", "--seed", "3")
    path = "my folder/ä.safetensors"
    result = parsed(run(*asked, "--half", "--out", path, "--json"))
    assert result["recipe"] | {"epochs": 2, "lr": 0.001, "batch_size": 8, "seed": 3} == result["recipe"]
    assert Path(path).stat().st_size < 5_000_000
    measured = run("eval", "-m", "alexnet", "-s", str(tiny), "--checkpoint", path, "--severities", "1")
    assert measured.exit_code == 0, measured.stderr
    assert run("train", "-m", "alexnet", "-s", str(tiny), "--lr", "-1").exit_code == 2


def test_train_in_half_precision_says_so_in_the_checkpoint(run, tiny):
    asked = ("train", "-m", "alexnet", "-s", str(tiny), "--epochs", "1")
    found = {}
    for amp in ("auto", "no", "bf16"):
        result = run(*asked, "--amp", amp, "--out", f"{amp}.safetensors")
        assert result.exit_code == 0, result.stderr
        found[amp] = read_checkpoint(f"{amp}.safetensors")[1].get("train_precision")
    assert found == {"auto": None, "no": None, "bf16": "bfloat16"}
    assert Path("auto.safetensors").read_bytes() == Path("no.safetensors").read_bytes()
    for number, amp in enumerate(("yes", "bf16")):  # the words of eval
        result = run(*asked, "--out", f"{number}.safetensors", LST_ROBUST_AMP=amp)
        assert result.exit_code == 0, result.stderr
        assert Path(f"{number}.safetensors").read_bytes() == Path("bf16.safetensors").read_bytes()
    refused = run(*asked, "--amp", "int8")
    assert refused.exit_code == 2 and "bf16" in refused.stderr


def test_a_network_is_compiled_where_that_is_asked_for(run, tiny, monkeypatch):
    modes = []
    monkeypatch.setattr(torch, "compile", lambda network, **options: modes.append(options["mode"]) or network)
    asked = ("train", "-m", "alexnet", "-s", str(tiny), "--epochs", "1", "--json")
    plain = parsed(run(*asked, "--out", "a.safetensors"))
    assert not modes
    compiled = parsed(run(*asked, "--out", "b.safetensors", "--compile", "max-autotune"))
    assert modes == ["max-autotune"] and compiled["sha256"] == plain["sha256"]
    assert run(*asked, "--out", "c.safetensors", LST_ROBUST_COMPILE="default").exit_code == 0
    assert modes == ["max-autotune", "default"]
    assert run(*asked, "--compile", "fast").exit_code == 2
