"""What an evaluation gives back."""

from __future__ import annotations

import subprocess
import sys

import lst_robust
from lst_robust.analysis.evaluation import Evaluation, FailedNetwork
from lst_robust.analysis.summary import summarise
from tests.analysis.gated import WRONG
from tests.analysis.simulated import HALF, measured


def test_its_summary_is_that_of_its_records():
    run, records, _ = measured("a", WRONG)
    evaluation = Evaluation(run, records, HALF)
    assert evaluation.summary() == summarise(run, records, HALF)
    assert (evaluation.measured, evaluation.failed, evaluation.skipped_images) == (0, {}, ())
    assert lst_robust.Evaluation is Evaluation


def test_a_failed_network_is_named_once():
    assert FailedNetwork("net", "not enough memory").line == "net failed: not enough memory"
    assert FailedNetwork("net.py:f", "net.py:f failed (KeyError)").line == "net.py:f failed (KeyError)"


def test_comparing_evaluations_needs_no_torch():
    program = (
        "import sys, lst_robust.analysis.gate, lst_robust.analysis.comparison, lst_robust.analysis.evaluation\n"
        "assert 'torch' not in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
