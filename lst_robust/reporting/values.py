"""How a table's columns and values are written: the short names, the digits, the marks."""

from __future__ import annotations

import pandas as pd

from lst_robust.reporting.tables import CALIBRATION, TableGroup, best, decimals, heads

LEGEND = "All values are percentages, lower is better; the best model's value is bold."
MISSING = "–"

LABELS: dict[str, str] = {
    "mce19": "19",
    "mce15": "15",
    "clean_error": "Clean",
    "mean_corruption_error": "Corrupted",
    "relative_mce": "mCE",
    "gaussian_noise": "Gauss.",
    "shot_noise": "Shot",
    "impulse_noise": "Impulse",
    "defocus_blur": "Defocus",
    "glass_blur": "Glass",
    "motion_blur": "Motion",
    "zoom_blur": "Zoom",
    "snow": "Snow",
    "frost": "Frost",
    "fog": "Fog",
    "brightness": "Bright.",
    "contrast": "Contrast",
    "elastic_transform": "Elastic",
    "pixelate": "Pixelate",
    "jpeg_compression": "JPEG",
    "saturate": "Saturate",
    "spatter": "Spatter",
    "gaussian_blur": "Gauss. blur",
    "speckle_noise": "Speckle",
    **{
        name: label for names in CALIBRATION.values() for name, label in zip(names, ("Clean", "Corrupted"), strict=True)
    },
}


def formatted(group: TableGroup, bold: str, interval: str) -> pd.DataFrame:
    """The group's values as text; `bold` is a template such as "**{}**" for the best ones, `interval` one such as
    " [{:.1f}, {:.1f}]" for the ends of an interval, which follow a value."""
    marks = best(group)
    text = pd.DataFrame("", index=group.frame.index, columns=group.frame.columns)
    for place, (_, quantity) in enumerate(heads(group.frame)):
        digits = decimals(group, quantity)
        lows, highs = group.intervals.get(quantity, ((), ()))
        for row, value in enumerate(group.frame.iloc[:, place]):
            shown = MISSING if pd.isna(value) else f"{value:.{digits}f}"
            marked = bold.format(shown) if marks.iloc[row, place] else shown
            stated = bool(lows) and not pd.isna(lows[row]) and not pd.isna(value)
            text.iloc[row, place] = marked + (interval.format(lows[row], highs[row]) if stated else "")
    return text
