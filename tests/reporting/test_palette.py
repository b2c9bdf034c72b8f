"""The colours of figures can be told apart, also by people with colour blindness."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from lst_robust.reporting.palette import DARK, LIGHT

# Linear RGB as seen without one kind of cones: Machado, Oliveira, Fernandes, "A Physiologically-based Model for
# Simulation of Color Vision Deficiency", IEEE TVCG 2009, table 1, severity 1.0.
EYES = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def seen(colours: list[str], eyes: object) -> np.ndarray:
    """CIELAB (n, 3) of sRGB colours."""
    rgb = np.array([[int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)] for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.array(eyes).T, 0, 1)
    return rgb2lab(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def least_difference(colours: list[str], eyes: object) -> float:
    lab = seen(colours, eyes)
    one, other = np.triu_indices(len(lab), 1)
    return float(deltaE_ciede2000(lab[one], lab[other]).min())


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("eyes", EYES)
def test_any_two_series_differ_for_all_eyes(palette, eyes):
    colours = [palette[f"series-{number}"] for number in range(1, 9)]
    assert least_difference(colours, EYES[eyes]) >= 6


def test_colours_that_eyes_confuse_are_found():
    """Vermilion beside a dark yellow, as an earlier palette had them."""
    assert least_difference(["#d55e00", "#8a6a00"], EYES["all cones"]) > 20
    assert least_difference(["#d55e00", "#8a6a00"], EYES["protanopia"]) < 4
