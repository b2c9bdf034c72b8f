"""The page of a network: its curves, its worst cells, what it confuses, and where its numbers come from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lst_robust.analysis.confusions import confusions
from lst_robust.analysis.networks import MeasuredNetwork
from lst_robust.analysis.protocols import images_in_words
from lst_robust.benchmark import CLEAN_CELL, label_of
from lst_robust.records.record import Record
from lst_robust.report.classes import Classes
from lst_robust.report.commands import evaluation_commands, table_command, training_commands
from lst_robust.report.inputs import MISSING
from lst_robust.report.measured import Measured, records_of
from lst_robust.report.request import ReportRequest
from lst_robust.report.sizes import Size
from lst_robust.reporting.page.content import Command, DataTable, Fact, NetworkPage, Picture

NO_PREDICTIONS = "What it confuses is not known: its records hold no predictions. eval --overwrite measures them anew."
PLACES = "Words in capitals stand for folders and files of yours."
WORST, MOST_CONFUSED = 12, 12  # rows of the tables


def network_page(
    key: str,
    network: MeasuredNetwork,
    measured: Measured,
    *,
    title: str,
    size: Size,
    pictures: Sequence[Picture],
    classes: Classes,
    request: ReportRequest,
) -> NetworkPage:
    """key: unique in the report. title: of its protocol's section."""
    return NetworkPage(
        key=key,
        name=network.summary.label,
        family=size.family,
        suite=title,
        caption=measured.table.caption,
        facts=tuple(_facts(network, size)),
        pictures=tuple(pictures),
        worst_cells=_worst_cells(network),
        confusions=_confusions(network, classes),
        commands=tuple(_commands(network, measured, request)),
        notes=(*network.summary.notes, *([] if classes.labels is not None else [NO_PREDICTIONS])),
    )


def _facts(network: MeasuredNetwork, size: Size) -> list[Fact]:
    run = network.runs[0].run
    protocol, records = run.protocol, records_of(network)
    facts = [Fact("Network", run.model.name, code=True)]
    if run.model.options:
        facts.append(
            Fact("Options", ", ".join(f"{key}={value}" for key, value in run.model.options.items()), code=True)
        )
    if size.params is not None and size.macs is not None:
        facts.append(Fact("Size", f"{size.params:,} parameters, {size.macs:,} multiply-accumulates an image"))
    for measured in network.runs:
        seed = measured.run.model.train_seed
        which = "Weights" if len(network.runs) == 1 or seed is None else f"Weights, seed {seed}"
        facts.append(Fact(f"{which} (SHA-256)", measured.run.model.checkpoint_sha256, code=True))
        facts.append(Fact("Run", measured.run.digest, code=True))
    facts += [
        Fact("Images", f"{protocol.data}, n = {images_in_words(protocol)}"),
        Fact("Hash of names and labels", protocol.images, code=True),
        Fact("Hash of pixels", protocol.pixels or "not taken by the release that measured them", code=True),
    ]
    if network.summary.geometry:
        facts.append(Fact("Size of the input", network.summary.geometry))
    if transforms := sorted({record.provenance.transform or "" for record in records} - {""}):
        facts.append(Fact("From image to input", "; ".join(transforms[:2])))
    return facts + _provenance(records)


def _provenance(records: Sequence[Record]) -> list[Fact]:
    stated = sorted({pair for record in records for pair in record.provenance.versions.items()})
    versions = {name: " and ".join(version for package, version in stated if package == name) for name, _ in stated}
    revisions = sorted({record.provenance.git_revision or "" for record in records} - {""})
    finished = sorted(record.provenance.finished for record in records)
    seconds = sum(record.provenance.seconds for record in records)
    facts = [
        Fact("Measured", f"from {finished[0]} to {finished[-1]}, {seconds:,.0f} seconds in {len(records)} cells"),
        Fact("Device", ", ".join(sorted({record.provenance.device for record in records}))),
        Fact("Versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
    ]
    return facts + ([Fact("Revision of the code", ", ".join(revisions), code=True)] if revisions else [])


def _worst_cells(network: MeasuredNetwork) -> DataTable | None:
    """The corrupted cells with the largest errors, means over the trainings."""
    cells = set.intersection(*(set(run.records) for run in network.runs)) - {CLEAN_CELL}
    if not cells:
        return None
    errors = {cell: float(np.mean([run.records[cell].top1_error for run in network.runs])) for cell in cells}
    ends = network.error_intervals
    clean = network.summary.metrics["clean_error"]
    worst = sorted(errors, key=lambda cell: (-errors[cell], cell))[:WORST]
    head = ("Corruption", "Severity", "Error, %", "95 % interval", "Over the clean error")
    rows = tuple(
        (
            label_of(cell.corruption),
            str(cell.severity),
            f"{errors[cell]:.1f}",
            f"{ends[cell][0]:.1f} to {ends[cell][1]:.1f}",
            MISSING if clean is None else f"{errors[cell] - clean:+.1f}",
        )
        for cell in worst
    )
    return DataTable(head, rows, f"The {len(rows)} cells with the largest errors")


def _confusions(network: MeasuredNetwork, classes: Classes) -> DataTable | None:
    """Clean images beside corrupted ones, by how often the latter are confused."""
    if classes.labels is None:
        return None
    records = records_of(network)
    corrupted = confusions([record for record in records if record.cell != CLEAN_CELL], classes.labels)
    clean = {
        (one.true, one.predicted): one
        for one in confusions([record for record in records if record.cell == CLEAN_CELL], classes.labels)
    }
    if not corrupted:
        return None
    never = "0.0" if any(one.cell == CLEAN_CELL and one.predicted is not None for one in records) else MISSING
    rows = []
    for one in corrupted[:MOST_CONFUSED]:
        same = clean.get((one.true, one.predicted))
        rows.append(
            (
                classes.name(one.true),
                classes.name(one.predicted),
                f"{100 * one.times / one.of:.1f}",
                f"{100 * same.times / same.of:.1f}" if same else never,
            )
        )
    head = ("Class", "Taken for", "Corrupted, % of the class", "Clean, % of the class")
    return DataTable(head, tuple(rows), "What it confuses most, over all corrupted cells")


def _commands(network: MeasuredNetwork, measured: Measured, request: ReportRequest) -> list[Command]:
    results_dir = request.results_dir
    evaluations = "\n".join(evaluation_commands(network, results_dir))
    commands = [Command(f"Measure it again. Finished cells are kept. {PLACES}", evaluations)]
    if trainings := training_commands(network, results_dir):
        commands.insert(0, Command("Train it again", "\n".join(trainings)))
    return [*commands, Command("The table that it stands in", table_command(measured, request))]
