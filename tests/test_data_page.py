"""The page docs/data.md: its commands run, on a few images in each of the forms."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from pathlib import Path

import pytest

from lst_robust.data import registry
from lst_robust.data.imagenet import KIND
from lst_robust.data.subset import Subset
from lst_robust.suites import load_suite
from tests.fixtures.shards import jpeg as image
from tests.fixtures.shards import parts, table, write_arrow, write_files, write_parquet, write_state, write_tar

PAGE = Path(__file__).parents[1] / "docs" / "data.md"
EVERYWHERE, _, SUBSET = (
    [line for line in block.splitlines() if not line.startswith("#")]
    for block in re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)
)
IMAGES = [(f"ILSVRC2012_val_{number:08d}.JPEG", image(number), number % 2) for number in range(8)]
WNIDS = ("n01440764", "n01443537")
NETWORK = """
import torch

class Sum(torch.nn.Module):
    def forward(self, x):
        levels = (x.double() * 100).round().sum(dim=(1, 2, 3)).long()
        return torch.nn.functional.one_hot(levels % 2, 1000).float()

def build(num_classes, image_size, weights):
    return Sum()
"""


@pytest.fixture
def place(tmp_path, run, monkeypatch) -> Path:
    """The folders that the page names, a small suite, a network, and a subset of four images."""
    write_files(tmp_path / "imagenet" / "val", {f"{WNIDS[label]}/{name}": content for name, content, label in IMAGES})
    for number, rows in enumerate(parts(IMAGES[::-1], 4)):
        files = [(name, content) for name, content, _ in rows]
        files += [(f"{Path(name).stem}.cls", str(label).encode()) for name, _, label in rows]
        write_tar(tmp_path / "wds" / f"imagenet1k-validation-{number:02d}.tar", files)
    write_parquet(tmp_path / "hub" / "data" / "validation-00000-of-00001.parquet", table(IMAGES))
    write_arrow(tmp_path / "saved" / "data-00000-of-00001.arrow", table(IMAGES))
    write_state(tmp_path / "saved", ["data-00000-of-00001.arrow"])
    suite = load_suite("imagenet-c-generated").model_dump(mode="json")
    small = {"image_size": 32, "dataset": {"kind": "imagenet", "resize": 32}, "corruptions": ["contrast"]}
    (tmp_path / "small.yaml").write_text(json.dumps(suite | small | {"severities": [1]}))
    (tmp_path / "net.py").write_text(NETWORK)
    few = Subset("robustbench-5k", "us", lambda: (2, 5, 6, 7), "ILSVRC2012_val_")
    monkeypatch.setitem(registry.SHIPPED, "imagenet", dataclasses.replace(KIND, subsets=(few,)))
    return tmp_path


@pytest.fixture
def asked(place, run):
    """asked(command of the page) -> the JSON of it, for the small suite and network, and what was said."""

    def call(command: str):
        small = command.replace("torchvision:resnet50 --set weights=DEFAULT", "net.py:build --set weights=own")
        small = small.replace("imagenet-c-generated", "small.yaml")
        assert small.count("weights=own -s small.yaml") == 1
        result = run(*shlex.split(small)[1:], "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout), result.stderr

    return call


def test_one_run_whatever_the_form(asked, place):
    assert len(EVERYWHERE) == 5
    answers = [asked(command)[0] for command in EVERYWHERE]
    assert answers[0]["n"] == 8 and answers[1:] == [answers[0]] * 4
    assert len(list(place.rglob("run.parquet"))) == 1


def test_each_form_measures_the_same(asked, place):
    answers = [asked(f"{command} --results-dir {number}")[0] for number, command in enumerate(EVERYWHERE)]
    assert answers[1:] == [answers[0]] * 4 and len(list(place.rglob("run.parquet"))) == 5


def test_the_published_choice(asked, place):
    (command,) = SUBSET
    answer, _ = asked(command)
    assert (answer["n"], answer["subset"]) == (4, "robustbench-5k")
    shards, _ = asked(command.replace("--data-dir imagenet", "--data-dir 'wds/*.tar'"))
    assert shards == answer


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("wds/imagenet1k-validation-{00..09}.tar", "6 of the 10 files of"),
        ("wds/nothing-*.tar", "no file matches wds/nothing-*.tar"),
        ("net.py", "net.py is no shard"),
    ],
)
def test_what_is_not_there_is_one_line(place, run, given, words):
    for command in (("eval", "-m", "net.py:build", "-s"), ("data", "verify")):
        result = run(*command, "small.yaml", "--data-dir", given)
        assert result.exit_code == 3 and words in result.stderr.replace("\n", " ") + result.stdout
        assert result.stderr.count("error:") == 1
    by_environment = run("eval", "-m", "net.py:build", "-s", "small.yaml", LST_ROBUST_DATA_DIR=given)
    assert by_environment.exit_code == 3 and words in by_environment.stderr
