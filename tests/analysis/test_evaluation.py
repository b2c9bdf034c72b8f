"""What an evaluation gives back."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys

import pytest

import lst_robust
from lst_robust.analysis.evaluation import Evaluation, Evaluations, FailedNetwork
from lst_robust.analysis.summary import summarise
from lst_robust.errors import DataError
from lst_robust.records import stored
from lst_robust.records.store import Store
from lst_robust.records.stored import stored_records
from tests.analysis.gated import WRONG
from tests.analysis.simulated import HALF, measured
from tests.fixtures.records import PROBED, begin, records


def test_its_summary_is_that_of_its_records():
    run, records, _ = measured("a", WRONG)
    evaluation = Evaluation(run, records, HALF)
    assert evaluation.summary() == summarise(run, records, HALF)
    assert (evaluation.measured, evaluation.failed, evaluation.skipped_images) == (0, {}, ())
    assert lst_robust.Evaluation is Evaluation


def test_records_that_stay_on_disk_make_the_same_evaluation(tmp_path):
    store = Store(tmp_path)
    folder = begin(store)
    store.pack(PROBED)
    here = Evaluation(PROBED, records(), None)
    there = Evaluation(PROBED, stored_records(folder, PROBED, store.load(PROBED)), None)
    assert there == here == pickle.loads(pickle.dumps(there)) and len(repr(there)) < len(repr(here)) / 2
    for kept in (True, False):
        if not kept:
            stored._EVALUATIONS._kept.clear()
        assert there.summary() == here.summary()
        assert Evaluations((there, here)).summaries() == [here.summary()] * 2
    travelled = pickle.loads(pickle.dumps(there))
    shutil.rmtree(folder)
    stored._EVALUATIONS._kept.clear()
    assert travelled.summary() == here.summary() and travelled == here
    with pytest.raises(DataError, match="keep the results folder that long, or evaluate again"):
        there.summary()


def test_a_failed_network_is_named_once():
    assert FailedNetwork("net", "not enough memory").line == "net failed: not enough memory"
    assert FailedNetwork("net.py:f", "net.py:f failed (KeyError)").line == "net.py:f failed (KeyError)"


def test_comparing_evaluations_needs_no_torch():
    program = (
        "import sys, lst_robust.analysis.gate, lst_robust.analysis.comparison, lst_robust.analysis.evaluation\n"
        "assert 'torch' not in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
