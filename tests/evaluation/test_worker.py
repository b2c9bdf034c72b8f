"""Networks that are measured together: the records of each alone, and each image corrupted once."""

from __future__ import annotations

import gc
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import lst_robust
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import DataError
from lst_robust.evaluation import cell_images, group, inference
from lst_robust.evaluation import worker as module
from lst_robust.evaluation.chunks import CHUNK_BYTES
from lst_robust.records import stored
from lst_robust.records.record import Record
from lst_robust.records.store import Store
from lst_robust.records.stored import KEPT, Loader
from lst_robust.runtime.progress import Silent
from tests.fixtures.networks import PixelSum, Unsteady, classifier

CELLS = {"corruptions": ["gaussian_noise", "brightness"], "severities": [3, 5]}


class Breaking(PixelSum):
    """Fails once it has seen the probe images twice and so many batches more."""

    def __init__(self, after: int, error: Exception) -> None:
        super().__init__()
        self.left, self.error = after + 2, error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.left -= 1
        if self.left < 0:
            raise self.error
        return super().forward(x)


class Named:
    """What a network of this package has as its `config`."""

    def __init__(self, name: str) -> None:
        self.name, self.num_classes = name, 10


def networks() -> dict[str, nn.Module]:
    """Of torch's own modules, which threads share, and others; all with other answers."""
    return {"first": classifier(nn.ReLU()), "second": classifier(nn.GELU()), "sum": PixelSum()}


@pytest.fixture
def together(suite, tmp_path, said):
    """together(networks by name, folder="together", **options) -> (evaluations, what was said)."""

    def call(models, folder: str = "together", suite=suite, **options):
        said()
        named = []
        for name, network in models.items():
            network.config = Named(name)
            named.append(network)
        asked = {"results_dir": tmp_path / folder, "batch_size": 8, "workers": 2, **CELLS, **options}
        return lst_robust.evaluate_many(named, suite, **asked), said()

    return call


def without_provenance(record: Record) -> str:
    return record.model_copy(update={"provenance": None}).model_dump_json()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("chunk", [CHUNK_BYTES, 16 * 32 * 32 * 3])
def test_the_records_are_those_of_each_network_alone(together, suite, tmp_path, monkeypatch, threads, chunk):
    monkeypatch.setattr(module, "CHUNK_BYTES", chunk)
    monkeypatch.setattr(inference, "MIN_IMAGES", 2)
    loaded, load = set(), module.loaded_chunks
    monkeypatch.setattr(
        module, "loaded_chunks", lambda *asked, **how: (loaded.add(len(asked[1])), load(*asked, **how))[1]
    )
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        outcome, _ = together(networks(), suite=suite.model_copy(update={"limit": 37}))
        for name, network in networks().items():
            network.config = Named(name)
            asked = {"batch_size": 8, "workers": 2, "results_dir": tmp_path / "alone", **CELLS}
            alone = lst_robust.evaluate(network, suite.model_copy(update={"limit": 37}), **asked)
            [same] = [one for one in outcome if one.run == alone.run]
            assert list(map(without_provenance, same.records.values())) == list(
                map(without_provenance, alone.records.values())
            )
            assert same.measured == 5
    finally:
        torch.set_num_threads(before)
    assert [one.run.model.name for one in outcome] == ["first", "second", "sum"]
    assert loaded == {1 if chunk == CHUNK_BYTES else 3}, "16, 16 and 5 images"


def test_each_image_is_corrupted_once_for_all(together, monkeypatch):
    corrupted = Counter()
    corrupt = cell_images.engine.corrupt

    def counted(images, corruption, severity, *, ids, **options):
        corrupted.update((corruption, severity, image_id) for image_id in ids)
        return corrupt(images, corruption, severity, ids=ids, **options)

    monkeypatch.setattr(cell_images.engine, "corrupt", counted)
    outcome, _ = together(networks())
    assert sum(one.measured for one in outcome) == 15
    assert len(corrupted) == 4 * 40 and set(corrupted.values()) == {1}


def test_only_the_networks_that_lack_a_cell_see_it(together):
    first, _ = together({"a": PixelSum()}, corruptions=["fog"], severities=[3])
    seen = Counter()

    class Seen(PixelSum):
        def forward(self, x):
            seen["images"] += len(x)
            return super().forward(x)

    known, other = PixelSum(), Seen()
    outcome, _ = together({"a": known, "b": other}, corruptions=["fog"], severities=[3, 4])
    assert [one.measured for one in outcome] == [1, 3]
    assert outcome.evaluations[0].records[CLEAN_CELL] == first.evaluations[0].records[CLEAN_CELL]
    again, _ = together({"a": PixelSum(), "b": Seen()}, corruptions=["fog"], severities=[3, 4])
    assert [one.measured for one in again] == [0, 0] and len(again) == 2


def test_nan_costs_a_network_its_cell_and_the_others_nothing(together):
    outcome, lines = together({"steady": PixelSum(), "unsteady": Unsteady()})
    steady, unsteady = outcome
    assert steady.measured == 5 and not steady.failed and not outcome.failed
    assert Cell("brightness", 5) in unsteady.failed and unsteady.measured == 5 - len(unsteady.failed)
    assert all(line.startswith("unsteady: brightness-") and "NaN" in line for line in lines)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("no kernel\nfor this"), "RuntimeError: no kernel for this"),
        (MemoryError(), "not enough memory"),
        (torch.cuda.OutOfMemoryError("out of memory"), "cpu has not enough memory for one image"),
    ],
)
def test_a_network_that_breaks_down_is_named_and_the_others_go_on(together, tmp_path, error, reason):
    outcome, lines = together({"good": PixelSum(), "bad": Breaking(7, error), "fine": networks()["first"]})
    assert [(one.run.model.name, one.measured) for one in outcome] == [("good", 5), ("bad", 1), ("fine", 5)]
    [failed] = outcome.failed
    assert failed.name == "bad" and failed.reason.startswith(reason)
    assert [line for line in lines if "at a time" not in line] == [
        f"bad: {failed.reason}; it is left out, and the others go on"
    ]
    kept = {run.model.name: len(records) for run, records in Store(tmp_path / "together").scan(None)}
    assert kept == {"good": 5, "bad": 1, "fine": 5}
    mended, _ = together({"good": PixelSum(), "bad": PixelSum()})
    assert not mended.failed


@pytest.mark.parametrize("complete", [False, True])
def test_a_network_that_is_the_only_one_of_its_pass_breaks_down_and_the_others_go_on(together, monkeypatch, complete):
    """The others have passes of their own, or nothing to measure."""
    monkeypatch.setattr(group, "NETWORK_BYTES", 1)
    if complete:
        together(networks())
    bad = Breaking(7, RuntimeError("no kernel"))
    bad.weight = nn.Parameter(torch.ones(1))
    first, *others = networks().items()
    several = dict([first, ("bad", bad), *others])
    outcome, _ = together(several)
    assert [(one.run.model.name, len(one.records)) for one in outcome] == [
        ("first", 5),
        ("bad", 1),
        ("second", 5),
        ("sum", 5),
    ]
    assert outcome.failed == (("bad", "RuntimeError: no kernel"),)


def test_images_that_change_meanwhile_stop_all(draw_images, tmp_path):
    draw_images(1)

    class Changing(PixelSum):
        def forward(self, x):
            if len(x) > 4:
                draw_images(2)
            return super().forward(x)

    changed = lst_robust.load_suite("imagefolder").model_copy(update={"normaliser": None, "training": None})
    two = [nn.Sequential(one, nn.Linear(10, 2)) for one in (Changing(), PixelSum())]
    with pytest.raises(DataError, match=r"changed while .* was measured"):
        lst_robust.evaluate_many(
            two, changed, data_dir=tmp_path / "images", corruptions=["fog"], results_dir=tmp_path / "results"
        )


def test_a_cell_that_another_process_has_is_waited_for_with_nothing_in_hand(together, tmp_path):
    cell, asked = Cell("fog", 3), {"corruptions": ["fog"], "severities": [3]}
    elsewhere, _ = together({"a": PixelSum()}, folder="elsewhere", **asked)
    record = elsewhere.evaluations[0].records[cell]
    results = tmp_path / "together"
    store = Store(results)

    def files(pattern: str) -> set[str]:
        """Network and file, such as a/clean.json."""
        return {f"{file.parent.parent.name}/{file.name}" for file in results.rglob(pattern)}

    with ThreadPoolExecutor(1) as pool:
        with store.claim(record.run, cell, wait=True):  # as the other process does
            working = pool.submit(together, {"a": PixelSum(), "b": networks()["first"]}, **asked)
            deadline = time.monotonic() + 60
            own = {"a/clean.json", "b/clean.json", "b/fog-3.json"}
            while not own <= files("*.json") or files(".*-3.lock") != {"a/.fog-3.lock"}:
                assert time.monotonic() < deadline and not working.done(), files("*")
                time.sleep(0.01)
            store.write(record)
        outcome, _ = working.result(timeout=60)
    assert [(one.run.model.name, one.measured, len(one.records)) for one in outcome] == [("a", 1, 2), ("b", 2, 2)]
    assert outcome.evaluations[0].records[cell] == record, "what the other one has written is not measured again"


def test_no_images_are_loaded_when_no_network_is_left(together, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_BYTES", 8 * 32 * 32 * 3)
    loaded, load = [], module.loaded_chunks

    def watched(*asked, **how):
        for chunk in load(*asked, **how):
            loaded.append(chunk.positions)
            yield chunk

    monkeypatch.setattr(module, "loaded_chunks", watched)
    outcome, _ = together({name: Breaking(0, RuntimeError("no kernel")) for name in ("a", "b")})
    assert len(outcome.failed) == 2 and loaded == [range(0, 8)]


def test_the_time_of_a_network_that_fails_is_not_that_of_the_others(together, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: clock[0]))

    class Slow(PixelSum):
        def __init__(self, seconds: float, factor: float = 1) -> None:
            super().__init__()
            self.seconds, self.factor = seconds, factor

        def forward(self, x):
            clock[0] += self.seconds
            return super().forward(x) * self.factor

    several = {"quick": Slow(1), "failing": Slow(100, torch.nan), "slow": Slow(2)}
    outcome, _ = together(several, batch_size=40)
    taken = {one.run.model.name: record.provenance.seconds for one in outcome for record in one.records.values()}
    assert taken == {"quick": 1, "slow": 2}


def test_what_is_wrong_with_the_observer_is_not_put_down_to_a_network(together):
    class Cancelling(Silent):
        def advance(self, steps: float = 1, status: str = "") -> None:
            raise TimeoutError("enough")

    with pytest.raises(TimeoutError, match="enough"):
        together(networks(), observer=Cancelling())


def test_progress_counts_the_cells_of_all_networks(together):
    from tests.evaluation.test_measure import Counting

    together({"a": PixelSum()}, corruptions=["fog"], severities=[3])
    observer = Counting()
    together({"a": PixelSum(), "b": networks()["first"]}, corruptions=["fog"], severities=[3, 4], observer=observer)
    assert observer.started == [("evaluating 2 networks on digits-c", 6, 2)]
    assert observer.steps == pytest.approx(4) and observer.finished == 1
    assert observer.status.startswith("b: clean error ")


def test_the_records_of_many_networks_are_not_in_memory_at_any_time(together, monkeypatch):
    """Of 50,000 images in 96 cells they would take 26 MB a network."""

    def alive() -> int:
        gc.collect()
        return sum(type(one) is Record for one in gc.get_objects())

    class Counting(Silent):
        at_the_end = 0

        def finish(self):
            self.at_the_end = alive()

    monkeypatch.setattr(stored, "_EVALUATIONS", Loader(predictions=True))
    before, observer = alive(), Counting()
    named = {str(number): classifier(nn.LeakyReLU(number / 10)) for number in range(KEPT + 3)}
    outcome, _ = together(named, limit=10, observer=observer)
    assert observer.at_the_end - before <= 1, "the last one that was written"
    assert len(outcome) == KEPT + 3 and alive() - before <= KEPT * 5
    assert [one.records[CLEAN_CELL].model.name for one in outcome] == list(named)
    assert outcome.summaries() == [one.summary() for one in outcome]
