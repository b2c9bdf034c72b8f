"""The options of `lst-robust eval` for devices: engine, precision, compilation; also by the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

import lst_robust
from lst_robust.cli.eval import eval_command
from tests.cli.test_eval import ALEXNET
from tests.fixtures.commands import parsed, records

ASKED = ("eval", *ALEXNET, "--corruptions", "gaussian_noise", "--severities", "3", "--device", "cpu", "--limit", "20")


@pytest.fixture
def asked_for(run, monkeypatch):
    """asked_for(*options, **environment) -> the request that becomes of them; nothing is measured."""

    def call(*options: str, **environment: str):
        seen = []
        requests_of = lst_robust.requests_of

        def noted(*models, **asked):
            seen.extend(requests_of(*models, **asked))
            return seen

        with monkeypatch.context() as watched:
            watched.setattr(lst_robust, "requests_of", noted)
            result = run(*ASKED, "--dry-run", *options, **environment)
        assert result.exit_code == 0, result.stderr
        return seen[0]

    return call


def test_torchs_engine_is_another_protocol_with_the_same_errors(run):
    by_torch, by_cpu = (parsed(run(*ASKED, "--json", "--engine", engine)) for engine in ("torch", "cpu"))
    assert (by_torch["engine"], by_cpu["engine"]) == ("lst-robust-torch 1", "lst-robust 1")
    assert by_torch["errors"] == by_cpu["errors"]
    assert parsed(run(*ASKED, "--json")) == by_cpu, "auto is the CPU's engine here"
    assert len(records(Path("results"))) == 4


@pytest.mark.parametrize(
    ("value", "amp"),
    [
        ("1", "yes"),
        ("true", "yes"),
        ("0", "no"),
        ("False", "no"),
        ("auto", "auto"),
        ("BF16", "bf16"),
        ("fp16", "fp16"),
        ("no", "no"),
    ],
)
def test_amp_is_a_word_or_a_switch(asked_for, value, amp):
    assert asked_for("--amp", value).amp == asked_for(LST_ROBUST_AMP=value).amp == amp


def test_a_flag_comes_before_the_environment(asked_for):
    request = asked_for("--engine", "torch", "--amp", "bf16", LST_ROBUST_ENGINE="cpu", LST_ROBUST_COMPILE="default")
    assert (request.engine, request.amp, request.compile) == ("torch", "bf16", "default")
    plain = asked_for()
    assert (plain.engine, plain.amp, plain.compile) == ("cpu", "no", "no")


def test_what_was_measured_with_them_says_so(run):
    assert run(*ASKED, "--engine", "torch", "--amp", "bf16").exit_code == 0
    devices = {record.provenance.device.partition(", ")[2] for record in records(Path("results")).values()}
    assert devices == {"corruptions on it, amp bf16"}


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--amp", "fp8", "choose auto, bf16, fp16 or no"),
        ("--engine", "gpu", "'gpu' is not one of 'auto', 'cpu', 'torch'"),
        ("--preprocess", "none", "'none' is not one of"),
        ("--compile", "fast", "'reduce-overhead'"),
    ],
)
def test_other_words_are_one_line(run, option, value, words):
    result = run(*ASKED, option, value)
    (line,) = result.stderr.splitlines()
    assert result.exit_code == 2 and words in line and option in line and "Value error" not in line


def test_help_names_them():
    assert "--engine torch --amp auto --compile reduce-overhead" in eval_command.__doc__
