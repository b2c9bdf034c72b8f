"""`lst-robust convert`."""

from __future__ import annotations

from lst_robust.models import read_checkpoint
from tests.fixtures.commands import parsed


def test_convert_writes_safetensors_that_eval_takes(run, tiny, released_checkpoint):
    source = released_checkpoint("lst20")
    digits = ",".join(str(digit) for digit in range(10))
    result = run("convert", str(source), "lst20.safetensors", "-m", "lst20", "--classes", digits, "--json")
    assert parsed(result)["model"] == "lst20"
    _, metadata = read_checkpoint("lst20.safetensors")
    assert metadata["source"] == source.name
    measured = run("eval", "-m", "lst20", "-s", str(tiny), "--checkpoint", "lst20.safetensors", "--severities", "1")
    assert measured.exit_code == 0, measured.stderr
    wrong = run("convert", str(source), "r.safetensors", "-m", "resnet18")
    assert wrong.exit_code == 3 and wrong.stderr.count("error:") == 1
    assert run("convert", "missing.pth", "x.safetensors", "-m", "lst20").exit_code == 3
    assert run("convert", str(source), "x.pth", "-m", "lst20").exit_code == 2
