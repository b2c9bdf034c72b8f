"""Merging results folders loses no cell, mixes no outcomes, and can be repeated, interrupted and disturbed."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lst_robust import merge_results
from lst_robust.benchmark import Cell
from lst_robust.errors import DataError, NothingToEvaluateError, UsageError
from lst_robust.records import merging as module
from lst_robust.records.cell_file import to_json
from lst_robust.records.folder import RUN_FILE
from lst_robust.records.packed_files import PACKED
from lst_robust.records.record import Record
from lst_robust.records.run_file import RunFile
from lst_robust.records.store import Store
from tests.fixtures.records import (
    ANSWERS,
    CELLS,
    FOG,
    PROBED,
    RUN,
    begin,
    edit,
    files,
    record,
    write_earlier,
)
from tests.fixtures.records import RUN_FILE as PROBED_FILE

SNOW = Cell("snow", 2)


def later(one: Record, finished: str = "2026-02-01T00:00:00Z") -> Record:
    return one.model_copy(update={"provenance": one.provenance.model_copy(update={"finished": finished})})


def fill(results: Path, *of_cells: Record, packed: bool = False) -> Path:
    """A results folder with these cells of the one run."""
    store = Store(results)
    store.write_run_file(PROBED_FILE)
    for one in of_cells:
        store.write(one)
    if packed:
        store.pack(PROBED)
    return results


def tree(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def cells_of(results: Path) -> dict[Cell, Record]:
    return Store(results).load(PROBED)


def outcomes(results: Path) -> dict[Cell, Record]:
    """Without their provenance."""
    provenance = record().provenance
    return {cell: one.model_copy(update={"provenance": provenance}) for cell, one in cells_of(results).items()}


@pytest.fixture
def two(tmp_path) -> tuple[Path, Path]:
    """Two machines that shared the cells of a run: one is done, the other has been interrupted."""
    done = fill(tmp_path / "a", record(CELLS[0]), record(CELLS[1]), packed=True)
    return done, fill(tmp_path / "b", record(CELLS[1]), record(FOG))


def test_the_cells_of_one_run_are_united_in_one_file(two, tmp_path):
    before = [tree(folder) for folder in two]
    merged = merge_results(two, tmp_path / "c")
    assert (merged.runs, merged.cells, merged.equal, merged.complete) == (1, 3, 1, True)
    folder = Store(tmp_path / "c").run_folder(PROBED)
    assert merged.written == [folder] and list(files(folder)) == [PACKED]
    assert cells_of(tmp_path / "c") == {cell: record(cell) for cell in CELLS}
    assert [tree(source) for source in two] == before


def test_a_second_time_nothing_is_written(two, tmp_path, monkeypatch):
    merge_results(two, tmp_path / "c")
    before = tree(tmp_path / "c")
    monkeypatch.setattr(module, "put_content", lambda *_: pytest.fail("it is all there"))
    monkeypatch.setattr(module, "packing", lambda *_: pytest.fail("the disk may be read-only"))
    again = merge_results(two, tmp_path / "c")
    assert (again.cells, again.written, again.equal, again.complete) == (0, [], 4, True)
    assert tree(tmp_path / "c") == before


def test_a_folder_may_get_what_the_others_have(two):
    merged = merge_results([*two], two[0])
    assert (merged.cells, merged.equal) == (1, 1)
    assert set(cells_of(two[0])) == set(CELLS)


def test_a_complete_run_is_copied_as_it_is(two, tmp_path):
    merge_results([two[0]], tmp_path / "c")
    assert tree(tmp_path / "c") == tree(two[0])


def test_runs_of_other_networks_stand_beside_one_another(tmp_path):
    fill(tmp_path / "a", record(), packed=True)
    other = RunFile.of(RUN._replace(model=RUN.model.model_copy(update={"name": "lst20"})), ANSWERS)
    begin(Store(tmp_path / "b"), other)
    merged = merge_results([tmp_path / "a", tmp_path / "b"], tmp_path / "c")
    assert (merged.runs, merged.cells) == (2, 4)
    assert {run.model.name: len(found) for run, found in Store(tmp_path / "c").scan(None)} == {"lst18": 1, "lst20": 3}


@pytest.mark.parametrize("packed", [False, True])
def test_a_cell_with_two_outcomes_is_refused_with_its_run(tmp_path, packed, caplog):
    first = fill(tmp_path / "a", record(FOG, wrong=7), packed=packed)
    second = fill(tmp_path / "b", record(FOG, wrong=8), record(SNOW), packed=packed)
    merged = merge_results([first, second], tmp_path / "c")
    name = PACKED if packed else "fog-3.json"
    paths = [Store(folder).run_folder(PROBED) / name for folder in (first, second)]
    assert [(conflict.cell, *conflict[1:]) for conflict in merged.conflicts] == [(FOG, *paths)]
    assert caplog.messages == [
        f"fog-3 has two outcomes, in {paths[0]} and in {paths[1]}: nothing of this run is merged; measure the cell "
        "again, or take the newest one with --prefer newest"
    ]
    assert not merged.complete and not merged.cells and not tree(tmp_path / "c")


@pytest.mark.parametrize("into", ["a", "b", "c"])
@pytest.mark.parametrize("packed", [False, True])
def test_the_newest_outcome_where_it_is_preferred(tmp_path, packed, into):
    old, new = record(FOG, wrong=7), later(record(FOG, wrong=8))
    fill(tmp_path / "a", old, record(SNOW), packed=packed)
    fill(tmp_path / "b", new, packed=packed)
    asked = ([tmp_path / "a", tmp_path / "b"], tmp_path / into)
    merged = merge_results(*asked, prefer="newest")
    assert merged.complete and merged.replaced == (into == "a")
    assert cells_of(tmp_path / into) == {FOG: new, SNOW: record(SNOW)}
    before = tree(tmp_path / into)
    assert merge_results(*asked, prefer="newest").written == []
    assert tree(tmp_path / into) == before


def test_confidences_may_differ_by_their_rounding(tmp_path):
    first = record()
    values = first.confidences()
    near, far = ((values.astype(float) - by).astype("<f2") for by in (0.0005, 0.01))
    for name, changed, equal in (("b", near, 1), ("c", far, 0)):
        text = base64.b64encode(changed.tobytes()).decode()
        fill(tmp_path / name, first.model_copy(update={"confidence": text}))
        merged = merge_results([tmp_path / name], fill(tmp_path / f"a{name}", first))
        assert (merged.equal, len(merged.conflicts)) == (equal, 1 - equal)
        assert cells_of(tmp_path / f"a{name}") == {FOG: first}


def test_what_says_more_is_kept(tmp_path):
    """Records of release 0.2 had no predictions."""
    little, much = record(classes=None), record()
    for order in ((little, much), (much, little)):
        folders = [fill(tmp_path / f"{place}", one, packed=True) for place, one in enumerate(order)]
        merged = merge_results(folders, tmp_path / "c")
        assert merged.complete and cells_of(tmp_path / "c") == {FOG: much}
        shutil.rmtree(tmp_path / "c")
    assert merge_results([fill(tmp_path / "m", much)], fill(tmp_path / "l", little)).replaced == 1
    assert cells_of(tmp_path / "l") == {FOG: much}


def test_damaged_and_foreign_files_are_named_and_the_rest_is_merged(two, tmp_path, caplog):
    folder = Store(two[1]).run_folder(PROBED)
    edit(folder / "fog-3.json", top1_error=1.0)
    (folder / "notes.json").write_text("{}")
    moved = folder.parents[1] / "lst20" / folder.name
    shutil.copytree(folder, moved)
    lost = folder.parent / "n20-seed0-0123456789ab"
    lost.mkdir()
    (lost / "fog-1.json").write_bytes(to_json(record()))
    merged = merge_results(two, tmp_path / "c")
    assert set(merged.left) == {folder / "fog-3.json", folder / "notes.json", moved, lost}
    assert merged.left[moved] == f"{moved}: holds another run than its place says"
    assert len(caplog.messages) == 4 and all(line.endswith("; it is left as it is") for line in caplog.messages)
    assert set(cells_of(tmp_path / "c")) == set(CELLS[:2]) and not merged.complete
    assert (folder / "fog-3.json").exists()


def test_a_damaged_packed_run(two, tmp_path):
    path = Store(two[0]).run_folder(PROBED) / PACKED
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    merged = merge_results(two, tmp_path / "c")
    assert list(merged.left) == [path]
    assert set(cells_of(tmp_path / "c")) == set(CELLS[1:])
    before = tree(two[0])
    assert not merge_results([two[1]], two[0]).complete, "into it nothing is written"
    assert tree(two[0]) == before


def test_records_of_earlier_releases_are_to_be_migrated_first(tmp_path):
    folder = write_earlier(Store(tmp_path / "a"), 3)
    merged = merge_results([tmp_path / "a"], tmp_path / "c")
    assert len(merged.left) == 3
    assert all(str(reason).endswith(f"migrate {tmp_path / 'a'}") for reason in merged.left.values())
    assert (folder / RUN_FILE).exists() and not (tmp_path / "c").exists()


def test_the_path_in_a_record_leads_nowhere_else(tmp_path):
    """A run's own words are no path to write to."""
    protocol = PROBED.protocol.model_copy(update={"suite": "../../elsewhere"})
    evil = RunFile.of(RUN._replace(protocol=protocol), ANSWERS)
    (tmp_path / "x" / "y" / "z").mkdir(parents=True)
    folder = begin(Store(tmp_path / "x" / "y" / "z"), evil)
    target = tmp_path / "a" / "digits-c" / "lst18" / folder.name
    shutil.copytree(folder, target)
    merged = merge_results([tmp_path / "a"], tmp_path / "c")
    assert list(merged.left) == [target] and not (tmp_path / "c").exists()


def test_a_dry_run_says_the_same_and_writes_nothing(two, tmp_path):
    tried = merge_results(two, tmp_path / "c", dry_run=True)
    assert not (tmp_path / "c").exists()
    done = merge_results(two, tmp_path / "c")
    assert tried.to_dict() == {**done.to_dict(), "dry_run": True}


class Stopped(BaseException):
    """Not an Exception: as Ctrl-C."""


@pytest.mark.parametrize("how", ["killed", "Ctrl-C", "disk"])
@pytest.mark.parametrize("into", ["b", "c"])
def test_a_merging_that_ends_too_early_loses_nothing_and_goes_on(two, tmp_path, monkeypatch, how, into):
    fill(tmp_path / "n", later(record(FOG, wrong=9)), packed=True)
    sources = [*two, tmp_path / "n"]

    def stop(*arguments):
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise Stopped if how == "Ctrl-C" else OSError(28, "No space left on device")

    before = tree(tmp_path / into)
    with monkeypatch.context() as patched:
        for move in ("replace", "rename", "link"):
            patched.setattr(os, move, stop)
        if how == "killed":
            pid = os.fork()
            if pid == 0:
                merge_results(sources, tmp_path / into, prefer="newest")
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        else:
            with pytest.raises((Stopped, DataError)):
                merge_results(sources, tmp_path / into, prefer="newest")
    assert {name: content for name, content in tree(tmp_path / into).items() if ".tmp-" not in name} == before
    merge_results(sources, tmp_path / into, prefer="newest")
    assert {cell: one.top1_error for cell, one in cells_of(tmp_path / into).items()} == {
        **{cell: record(cell).top1_error for cell in CELLS},
        FOG: record(FOG, wrong=9).top1_error,
    }


def test_what_the_disk_does_not_hold_is_an_error(two, tmp_path, monkeypatch):
    whole = module.put_content
    monkeypatch.setattr(module, "put_content", lambda folder, content, read: whole(folder, content[:-1], read))
    with pytest.raises(DataError, match=r"run\.parquet: is not as it was written: look after the disk"):
        merge_results(two, tmp_path / "c")


def test_a_cell_that_is_measured_meanwhile_stays(two, tmp_path, monkeypatch):
    """Another process writes into the folder between the first look and the lock."""
    whole = module.packing

    def measured(folder):
        fill(tmp_path / "c", later(record(SNOW)))
        return whole(folder)

    monkeypatch.setattr(module, "packing", measured)
    merge_results(two, tmp_path / "c")
    assert set(cells_of(tmp_path / "c")) == {*CELLS, SNOW}


def test_a_cell_that_appears_with_another_outcome_meanwhile_is_a_conflict(two, tmp_path, monkeypatch):
    whole = module.packing

    def measured(folder):
        fill(tmp_path / "c", record(FOG, wrong=9))
        return whole(folder)

    monkeypatch.setattr(module, "packing", measured)
    merged = merge_results(two, tmp_path / "c")
    assert [conflict.cell for conflict in merged.conflicts] == [FOG] and not merged.written
    assert set(cells_of(tmp_path / "c")) == {FOG}


def test_folders_that_cannot_be_meant(two, tmp_path):
    a, b = two
    file = tmp_path / "file"
    file.write_text("")
    (tmp_path / "link").symlink_to(a)
    (tmp_path / "empty").mkdir()
    for sources, into, error, said in (
        ([], a, UsageError, "results is empty"),
        ("ab", a, UsageError, "results"),
        ([a, tmp_path / "nowhere"], b, NothingToEvaluateError, "nowhere is not there"),
        ([a, file], b, NothingToEvaluateError, "file is no folder"),
        ([a, b], file, UsageError, "is no folder"),
        ([a, tmp_path / "link"], b, UsageError, "are the same folder: name it once"),
        ([a, a / "."], b, UsageError, "are the same folder: name it once"),
        ([a], a, UsageError, "is the only folder"),
        ([a], a / "c", UsageError, "lies inside of"),
        ([a / "digits-c", b], a, UsageError, "lies inside of"),
        ([a, tmp_path], tmp_path / "c", UsageError, "lies inside of"),
        ([tmp_path / "empty"], tmp_path / "c", NothingToEvaluateError, "no runs and no checkpoints"),
    ):
        with pytest.raises(error, match=said):
            merge_results(sources, into)
    with pytest.raises(UsageError, match="unknown prefer 'oldest'"):
        merge_results([a], b, prefer="oldest")
    assert not (tmp_path / "c").exists()


def test_an_empty_folder_beside_others_is_named(two, tmp_path, caplog):
    (tmp_path / "empty").mkdir()
    assert merge_results([*two, tmp_path / "empty"], tmp_path / "c").complete
    assert caplog.messages == [f"{tmp_path / 'empty'} holds no run: is it a results folder?"]


POSSIBLE = [record(cell, wrong=wrong) for cell in (*CELLS, SNOW) for wrong in (3, 4)]
MEASURED = [later(one, f"2026-0{month}-01T00:00:00Z") for one in POSSIBLE for month in (1, 2)]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from(MEASURED), min_size=1, max_size=4), st.booleans()), min_size=2, max_size=3
    ),
    st.permutations(range(3)),
    st.sampled_from([None, "newest"]),
)
def test_in_any_order_the_same_outcomes_no_cell_lost_and_nothing_the_second_time(contents, order, prefer):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        sources = [fill(root / f"{i}", *found, packed=packed) for i, (found, packed) in enumerate(contents)]
        turned = [sources[place] for place in order if place < len(sources)]
        first = merge_results(sources, root / "c", prefer=prefer)
        second = merge_results(turned, root / "d", prefer=prefer)
        everything = {cell for source in sources for cell in cells_of(source)}
        if first.conflicts:
            assert prefer is None and second.conflicts and not tree(root / "c") and not tree(root / "d")
            assert {one.cell for one in first.conflicts} == {one.cell for one in second.conflicts}
            return
        assert outcomes(root / "c") == outcomes(root / "d") and set(cells_of(root / "c")) == everything
        assert first.cells == len(everything)
        before = tree(root / "c")
        again = merge_results(turned, root / "c", prefer=prefer)
        assert not again.written and tree(root / "c") == before
