"""Networks that are in memory at the same time."""

from __future__ import annotations

import gc
import weakref
from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch import nn

import lst_robust
from lst_robust.evaluation import group as module
from lst_robust.evaluation.cell_images import open_cell_images
from lst_robust.evaluation.group import NetworkGroup
from lst_robust.evaluation.plan import plan_of
from lst_robust.evaluation.request import EvalRequest
from lst_robust.geometry import Geometry
from lst_robust.runtime.process_group import Ranks
from tests.fixtures.networks import PixelSum, classifier

ASKED = {"corruptions": ["fog"], "severities": [3]}


@pytest.fixture
def request_of(suite, tmp_path):
    """request_of(network) -> the request for its clean cell and fog-3."""
    return lambda network: EvalRequest.of(network, suite, results_dir=tmp_path / "results", **ASKED)


def add(group: NetworkGroup, request: EvalRequest) -> None:
    group.add(plan_of(request, group.prepare(request), Ranks()))


def test_networks_of_the_same_size_share_their_images(request_of, monkeypatch):
    group, opened = NetworkGroup(), Counter()

    def counted(request, geometry):
        opened[geometry] += 1
        return open_cell_images(request, geometry)

    monkeypatch.setattr(module, "open_cell_images", counted)
    add(group, request_of(PixelSum()))
    add(group, request_of(classifier(nn.ReLU())))
    assert opened == {None: 1}
    first, second = (plan.prepared for plan in group.plans)
    assert first.images is second.images
    assert [outcome.measured for _, outcome in group.measure()] == [2, 2]


def test_the_images_of_one_size_are_let_go_before_the_next_are_decoded(request_of, monkeypatch):
    group, alive = NetworkGroup(), []
    other = Geometry(size=40, resize=40, interpolation="bicubic")
    monkeypatch.setattr(module, "own_geometry", lambda request: other if request.name == "wide" else None)
    monkeypatch.setattr(module, "open_cell_images", lambda request, _: open_cell_images(request))
    measure_together = module.measure_together

    def measured(plans, turns, **how):
        alive.append(sum(images() is not None for images in known))
        return measure_together(plans, turns, **how)

    monkeypatch.setattr(module, "measure_together", measured)
    for name in ("small", "wide"):
        add(group, replace(request_of(PixelSum()), name=name))
    known = [weakref.ref(plan.prepared.images) for plan in group.plans]
    assert known[0]() is not known[1]()
    for _ in group.measure():
        gc.collect()
    assert alive == [2, 1]


def test_a_network_with_nothing_to_do_does_not_stay_in_memory(request_of, monkeypatch):
    monkeypatch.setattr(module, "MOST_NETWORKS", 1)
    lst_robust.run_request(request_of(PixelSum()))
    group = NetworkGroup()
    add(group, request_of(PixelSum()))
    [planned] = group.plans
    assert planned.prepared is None and not group.is_full
    [(_, outcome)] = group.measure()
    assert outcome.measured == 0 and len(outcome.records) == 2


def test_a_group_is_full_when_its_weights_are(request_of, monkeypatch):
    network = classifier(nn.ReLU())
    weights = sum(one.nbytes for one in network.parameters())
    monkeypatch.setattr(module, "NETWORK_BYTES", weights + 1)
    group = NetworkGroup()
    add(group, request_of(network))
    assert not group.is_full
    add(group, request_of(classifier(nn.GELU())))
    assert group.is_full


def test_a_group_is_full_when_its_networks_would_hold_too_many_files(request_of, monkeypatch):
    monkeypatch.setattr(module, "MOST_NETWORKS", 2)
    group = NetworkGroup()
    add(group, request_of(classifier(nn.ReLU())))
    assert not group.is_full
    add(group, request_of(classifier(nn.GELU())))
    assert group.is_full


def test_more_networks_than_fit_are_measured_in_several_passes(suite, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "NETWORK_BYTES", 1)
    passes = Counter()
    measure = NetworkGroup.measure

    def counted(self):
        passes[len(self.plans)] += 1
        return measure(self)

    monkeypatch.setattr(NetworkGroup, "measure", counted)
    three = [PixelSum(), classifier(nn.ReLU()), classifier(nn.GELU())]
    outcome = lst_robust.evaluate_many(three, suite, results_dir=tmp_path, **ASKED)
    assert [one.measured for one in outcome] == [2, 2, 2]
    assert passes == {2: 1, 1: 1}, "one without weights costs nothing"


def test_the_networks_of_a_pass_are_let_go_before_those_of_the_next_are_built(suite, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "NETWORK_BYTES", 1)
    known, alive, prepare = [], [], module.prepare

    def watched(*asked):
        alive.append(sum(network() is not None for network in known))
        prepared = prepare(*asked)
        known.append(weakref.ref(prepared.runner.network))
        return prepared

    monkeypatch.setattr(module, "prepare", watched)
    three = [classifier(nn.ReLU()), classifier(nn.GELU()), classifier(nn.SiLU())]
    gc.collect()
    gc.disable()  # which may come late: the memory of a device is needed at once
    try:
        lst_robust.evaluate_many(three, suite, results_dir=tmp_path, **ASKED)
    finally:
        gc.enable()
    assert alive == [0, 0, 0]


def test_memory_that_runs_out_while_a_network_is_probed_sends_the_others_away(request_of, monkeypatch, said):
    group, room = NetworkGroup(), [True]

    class Crowded(PixelSum):
        def forward(self, x):
            if len(x) > 1 and room:
                raise torch.cuda.OutOfMemoryError("out of memory")
            return super().forward(x)

    monkeypatch.setattr(group._turns, "make_room", lambda: bool(room) and room.pop())
    said()
    assert len(group.prepare(request_of(Crowded())).answers) == 4
    assert room == [] and said() == [], "no smaller parts"


def test_memory_that_runs_out_while_a_network_is_built_sends_the_others_away(request_of, monkeypatch):
    group, room = NetworkGroup(), [False, True]
    prepare = module.prepare

    def crowded(request, images, make_room):
        if not room.pop(0):
            raise torch.cuda.OutOfMemoryError("out of memory")
        return prepare(request, images, make_room)

    monkeypatch.setattr(module, "prepare", crowded)
    monkeypatch.setattr(group._turns, "make_room", lambda: True)
    add(group, request_of(PixelSum()))
    assert len(group.plans) == 1 and room == []


def test_where_nobody_can_go_the_network_is_too_large(request_of, monkeypatch):
    def crowded(request, images, make_room):
        raise torch.cuda.OutOfMemoryError("out of memory")

    monkeypatch.setattr(module, "prepare", crowded)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        NetworkGroup().prepare(request_of(PixelSum()))
