"""Collects what the pages of a report show."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lst_robust.report.board import board, published_boards
from lst_robust.report.classes import Classes, classes_of
from lst_robust.report.cloud import of_same_images
from lst_robust.report.examples import MOST_NETWORKS, example_corruptions, example_groups
from lst_robust.report.measured import Measured, best_of, in_memory, titles_of
from lst_robust.report.network_pages import network_page
from lst_robust.report.pictures import NAMES, WHY_NONE, can_draw, own_pictures, pictures_of
from lst_robust.report.request import ReportRequest
from lst_robust.report.sizes import devices, images_per_second, size_of
from lst_robust.reporting.page.content import ExampleGroup, NetworkPage, Section
from lst_robust.runtime.progress import Observer

logger = logging.getLogger(__name__)
FLIPS = (
    "Images that the networks classify rightly when they are clean, and wrongly when they are corrupted. Those of "
    "whose wrong classes they are the surest come first."
)


def gather(
    measured: Sequence[Measured], request: ReportRequest, *, pages: int, examples: bool, observer: Observer
) -> tuple[list[Section], list[NetworkPage], list[str]]:
    """A section a protocol, a page for the best networks of each, as many as `pages`, and what people should know of
    the whole, such as missing figures."""
    gathering = _Gathering(request, pages, examples, observer, draws=can_draw())
    if not gathering.draws:
        gathering.notes.append(WHY_NONE)
        logger.warning(WHY_NONE)
    observer.start("making the report", sum(map(gathering.steps, measured)))
    titles = titles_of(measured)
    found = [gathering.section(one, number, titles[number]) for number, one in enumerate(measured)]
    observer.finish()
    sections = [section for section, _ in found]
    shown = [result for one in measured for result in of_same_images(request.published, one.suite)]
    if others := [result for result in request.published if result not in shown]:
        boards = published_boards(others, request)
        sections.append(Section("Published results", "Of other images than those above.", published=tuple(boards)))
    return sections, [page for _, pages in found for page in pages], gathering.notes


def _of_examples(measured: Measured) -> str:
    """What is shown, and who is asked."""
    count, trained_again = len(measured.networks), any(len(network.runs) > 1 for network in measured.networks)
    few = f" Of the {count} networks the best {MOST_NETWORKS} answer." if count > MOST_NETWORKS else ""
    return FLIPS + few + (" Of several trainings of a network the first answers." if trained_again else "")


def _without_pages(measured: Measured, shown: Measured) -> list[str]:
    """A line where not all networks are in the figures."""
    if len(shown.networks) == len(measured.networks):
        return []
    return [
        f"{len(measured.networks):,} networks were measured. {len(shown.networks)} of them have a page, stand in the "
        "figures, and have their size counted: the best ones. --pages N chooses how many."
    ]


@dataclass
class _Gathering:
    request: ReportRequest
    pages: int
    examples: bool
    observer: Observer
    draws: bool
    notes: list[str] = field(default_factory=list)

    def steps(self, measured: Measured) -> int:
        """Of progress."""
        drawn, shown = len(NAMES) if self.draws else 0, self._shown(measured)
        return drawn + len(shown.networks) + (len(example_corruptions(shown)) if self.examples else 0)

    def section(self, measured: Measured, number: int, title: str) -> tuple[Section, list[NetworkPage]]:
        """number: of the protocol, which tells pages of one network under two protocols apart."""
        shown = in_memory(self._shown(measured))
        classes = classes_of(shown, self.request)
        keys = {label: f"{number}/{measured.name}/{label}" for label, _ in shown.labelled()}
        sizes = {label: size_of(network, self.request.results_dir) for label, network in shown.labelled()}
        speeds = {label: images_per_second(network) for label, network in measured.labelled()}
        others = of_same_images(self.request.published, measured.suite)
        pictures, missing = pictures_of(shown, self.request, self._says("drawing")) if self.draws else ([], [])
        examples, without = self._examples(shown, classes)
        section = Section(
            title=title,
            caption=measured.suite.description if measured.suite else "",
            board=board(measured, sizes, speeds, keys),
            published=tuple(published_boards(others, self.request)) if others else (),
            pictures=tuple(pictures),
            examples=tuple(examples),
            examples_caption=_of_examples(shown),
            notes=(
                *_without_pages(measured, shown),
                "Images per second: the median over the cells, with decoding and corruption, on "
                f"{', '.join(devices(measured.networks))}. They are of these measurements, and no benchmark.",
                *missing,
                *without,
            ),
        )
        pages = []
        for label, network in shown.labelled():
            self._says("page of")(label)
            page = network_page(
                keys[label],
                network,
                shown,
                title=title,
                size=sizes[label],
                pictures=own_pictures(label, network) if self.draws else (),
                classes=classes,
                request=self.request,
            )
            pages.append(page)
        return section, pages

    def _shown(self, measured: Measured) -> Measured:
        """The networks with a page."""
        return best_of(measured, self.pages, self.request.reference)

    def _says(self, what: str) -> Callable[[str], None]:
        def says(name: str) -> None:
            self.observer.advance(status=f"{what} {name}")

        return says

    def _examples(self, measured: Measured, classes: Classes) -> tuple[list[ExampleGroup], list[str]]:
        """And why some are not there."""
        if not self.examples:
            return [], []
        if classes.images is None:
            logger.warning("no examples of %s: %s", measured.name, classes.why_no_images)
            return [], [f"No examples: {classes.why_no_images}."]
        return example_groups(measured, classes, self._says("examples of"))
