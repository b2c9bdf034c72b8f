"""The contact sheet with corruptions from outside; the places of the 19 are tested in tests/cli/test_corrupt.py."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lst_robust.corruptions import no_draws, register_corruption
from lst_robust.errors import DataError
from lst_robust.reporting import sheet

GAPS = sheet.GAP + sheet.TILE


@pytest.fixture
def drawn(no_plugins, monkeypatch, tmp_path, photographs):
    """drawn() -> the sheet, uint8 (H, W, 3), on which only corruptions from outside are not plain grey."""
    Image.fromarray(photographs[0]).save(tmp_path / "a.png")
    corrupt = sheet.corrupt

    def quick(image, name, severity, **options):
        return corrupt(image, name, severity, **options) if name.startswith("my_") else np.full_like(image, 128)

    monkeypatch.setattr(sheet, "corrupt", quick)
    options = {"preset": "tiny-imagenet", "style": "hendrycks", "seed": 0, "size": 64}
    return lambda: np.asarray(Image.open(io.BytesIO(sheet.draw_sheet(tmp_path / "a.png", **options))))


def register(name: str, group: str, red: int) -> None:
    def paint(images, draws, severity):
        return np.full_like(images, (red, 50 * severity, 7))

    register_corruption(name, group=group, draw=no_draws)(paint)


def places(pixels: np.ndarray, red: int) -> list[tuple[int, int]]:
    """Top left corners of the tiles of the five severities."""
    return [tuple(np.argwhere((pixels == (red, 50 * s, 7)).all(axis=2)).min(axis=0)) for s in range(1, 6)]


def test_one_in_a_group_of_the_papers_is_one_row_more_there(drawn):
    before = drawn()
    register("my_noise", "noise", 200)
    after = drawn()
    assert after.shape[0] == before.shape[0] + GAPS and after.shape[1] == before.shape[1]
    corners = places(after, 200)
    assert {top for top, _ in corners} == {sheet.MARGIN + sheet.TITLE + sheet.HEADINGS + 3 * GAPS}


def test_those_of_groups_of_their_own_come_last_each_with_its_band(drawn):
    before = drawn()
    register("my_fog", "own", 200)
    register("my_rain", "storms", 201)
    after = drawn()
    assert after.shape[0] == before.shape[0] + 2 * (GAPS + sheet.GROUP_GAP)
    (fog, _), (rain, _) = places(after, 200)[0], places(after, 201)[0]
    assert rain == fog + GAPS + sheet.GROUP_GAP and rain + sheet.TILE + sheet.GAP + sheet.MARGIN == after.shape[0]
    band = tuple(int(sheet.COLOUR_OF_OTHERS[i : i + 2], 16) for i in (1, 3, 5))
    for top in (fog, rain):
        assert tuple(after[top, sheet.MARGIN]) == band


def test_an_image_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(DataError, match=r"a\.png cannot be read as an image"):
        sheet.draw_sheet(tmp_path / "a.png", preset="cifar", style="hendrycks", seed=0, size=32)
