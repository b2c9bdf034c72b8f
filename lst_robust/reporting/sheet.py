"""A contact sheet: one picture under every known corruption at 5 severities, for people to look at."""

from __future__ import annotations

import io
from collections.abc import Collection
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lst_robust.benchmark import SEVERITIES, groups
from lst_robust.corruptions import corrupt
from lst_robust.data.decode import decode
from lst_robust.errors import DataError, message_of
from lst_robust.generation.inputs import cut_from, decode_whole
from lst_robust.geometry import centre_crop

# Layout, in pixels.
TILE = 76  # width of a tile, and its height at most: a sheet of a photograph stays below 1.5 MB
GAP, GROUP_GAP, MARGIN = 3, 12, 20
BAND = 22  # of the group's colour
NAME = 144  # of a corruption's name
TITLE, HEADINGS = 52, 24

PAPER, INK, FAINT = "#ffffff", "#1d2733", "#6b7785"
COLOURS = {"noise": "#b5483a", "blur": "#2f6f9f", "weather": "#3d7f6f", "digital": "#7a5a9e", "extra": "#8a6d3b"}
COLOUR_OF_OTHERS = "#4d5b66"  # groups of corruptions from outside


def draw_sheet(
    image: Path,
    *,
    preset: str,
    style: str,
    seed: int,
    size: int | None,
    corruptions: Collection[str] | None = None,
) -> bytes:
    """The contact sheet of an image file, as the content of a PNG file.

    size: side of the square cut from its centre, as for generated sets; None takes the whole image. corruptions: those
    shown; None shows all. Raises DataError for an image that cannot be read, UsageError for one that a corruption
    cannot take, unknown presets and styles.
    """
    try:
        pixels = decode_whole(image) if size is None else decode(image, centre_crop(size, cut_from(size)))
    except Exception as error:  # decoders raise anything on damaged files
        raise DataError(f"{image} cannot be read as an image ({message_of(error)})") from error
    height, width = pixels.shape[:2]
    facts = f"{width} x {height} pixels, preset {preset}, style {style}, seed {seed}"
    shown = {
        group: rows
        for group, names in groups().items()
        if (rows := [name for name in names if corruptions is None or name in corruptions])
    }
    sheet = _Sheet(pixels, image.name, facts, [len(rows) for rows in shown.values()])
    for group, rows in shown.items():
        for corruption in rows:
            sheet.add_row(
                corruption,
                [corrupt(pixels, corruption, s, preset=preset, style=style, seed=seed) for s in SEVERITIES],
            )
        sheet.end_group(group)
    content = io.BytesIO()
    sheet.finished().save(content, "PNG", optimize=True)
    return content.getvalue()


class _Sheet:
    """A picture that grows row by row: band of the group, name, the original, the severities."""

    def __init__(self, original: np.ndarray, title: str, facts: str, bands: list[int]) -> None:
        """bands: how many rows each group has."""
        self.tile = _fitted(original.shape[1], original.shape[0])
        self.original = self._scaled(original)
        rows, columns = sum(bands), 1 + len(SEVERITIES)
        self.left = MARGIN + BAND + NAME
        width = self.left + columns * (self.tile[0] + GAP) + GROUP_GAP - GAP + MARGIN
        height = MARGIN + TITLE + HEADINGS + rows * (self.tile[1] + GAP) + (len(bands) - 1) * GROUP_GAP + MARGIN
        self.canvas = Image.new("RGB", (width, height), PAPER)
        self.draw = ImageDraw.Draw(self.canvas)
        self.top = self.group_top = MARGIN + TITLE + HEADINGS
        self.draw.text((MARGIN, MARGIN), title, INK, _font(20))
        self.draw.text((MARGIN, MARGIN + 27), facts, FAINT, _font(13))
        for column, heading in enumerate(("original", *(f"severity {s}" for s in SEVERITIES))):
            middle = self._x(column) + self.tile[0] // 2
            self.draw.text((middle, self.top - 8), heading, FAINT, _font(13), anchor="ms")

    def add_row(self, name: str, images: list[np.ndarray]) -> None:
        middle = self.top + self.tile[1] // 2
        self.draw.text((self.left - 12, middle), name.replace("_", " "), INK, _font(14), anchor="rm")
        for column, tile in enumerate([self.original, *map(self._scaled, images)]):
            self.canvas.paste(tile, (self._x(column), self.top))
        self.top += self.tile[1] + GAP

    def end_group(self, name: str) -> None:
        """Draws the band beside the rows since the last group."""
        height = self.top - GAP - self.group_top
        band = Image.new("RGB", (height, BAND), COLOURS.get(name, COLOUR_OF_OTHERS))
        ImageDraw.Draw(band).text((height // 2, BAND // 2), name, PAPER, _font(14), anchor="mm")
        self.canvas.paste(band.transpose(Image.Transpose.ROTATE_90), (MARGIN, self.group_top))
        self.top += GROUP_GAP
        self.group_top = self.top

    def finished(self) -> Image.Image:
        return self.canvas

    def _x(self, column: int) -> int:
        """The original stands a little apart."""
        return self.left + column * (self.tile[0] + GAP) + (GROUP_GAP - GAP if column else 0)

    def _scaled(self, image: np.ndarray) -> Image.Image:
        """Enlarged so that its pixels can be seen, or reduced."""
        larger = self.tile[0] > image.shape[1]
        return Image.fromarray(image).resize(
            self.tile, Image.Resampling.NEAREST if larger else Image.Resampling.LANCZOS
        )


def _fitted(width: int, height: int) -> tuple[int, int]:
    scale = TILE / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


@cache
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)  # comes with PIL
