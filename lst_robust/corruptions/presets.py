"""Every severity constant of the 19 corruptions, per preset, with its source.

Presets are the constants of the ImageNet-C authors' three generation scripts (Hendrycks & Dietterich, ICLR
2019, https://github.com/hendrycks/robustness): `imagenet` is make_imagenet_c.py (224 px), `cifar` is
make_cifar_c.py (32 px), `tiny-imagenet` is make_tinyimagenet_c.py (64 px). The style `imagecorruptions`
replaces, at 224 px only, what the package imagecorruptions 1.1.2 does differently (snow, frost,
elastic_transform, motion_blur, pixelate).

A constants record defines its corruption completely: where styles differ, the difference is a field of the
record.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from lst_robust.arguments import choice, whole_number
from lst_robust.benchmark import CORRUPTIONS, SEVERITIES
from lst_robust.errors import UsageError

PRESETS: tuple[str, ...] = ("imagenet", "tiny-imagenet", "cifar")
STYLES: tuple[str, ...] = ("hendrycks", "imagecorruptions")


class Noise(NamedTuple):
    """gaussian_noise, speckle_noise: standard deviation; shot_noise: photons at x = 1; impulse_noise: share
    of values."""

    amount: float


class GaussianBlur(NamedTuple):
    sigma: float


class DefocusBlur(NamedTuple):
    radius: float
    alias_sigma: float


class GlassBlur(NamedTuple):
    sigma: float
    max_delta: int
    iterations: int


class MotionBlur(NamedTuple):
    """`rounding`: "16-bit" as ImageMagick (floor(v + 0.5/257) on 0..255 values), "truncate" as float64 to
    uint8."""

    radius: int
    sigma: float
    rounding: Literal["16-bit", "truncate"] = "16-bit"


class ZoomBlur(NamedTuple):
    """Zoom factors are `np.arange(start, stop, step)`, ends included as np.arange does."""

    start: float
    stop: float
    step: float


class Snow(NamedTuple):
    """`layer`: "uint8-cropped" truncates the snow to uint8, crops and then blurs it; "float-uncropped" blurs
    the float layer before cropping and rounds afterwards."""

    mean: float
    std: float
    zoom: float
    threshold: float
    radius: int
    sigma: float
    mix: float
    layer: Literal["uint8-cropped", "float-uncropped"] = "uint8-cropped"


class Frost(NamedTuple):
    """`texture_scale` resizes the texture before the crop; `fit` first enlarges textures smaller than the
    image."""

    image_weight: float
    texture_weight: float
    texture_scale: float = 1.0
    fit: bool = False


class Fog(NamedTuple):
    amount: float
    decay: float
    map_size: int | None = None  # None: the next power of two of the longer side


class Shift(NamedTuple):
    """brightness: added to V; contrast: factor around the mean."""

    amount: float


class Saturate(NamedTuple):
    gain: float
    shift: float


class Elastic(NamedTuple):
    """hendrycks: `alpha`, `sigma`, `affine` in units of `side` pixels. imagecorruptions (`side` None): no
    affine, sigma .01 of each side, fields uniform within .005 of the height, times `alpha`."""

    alpha: float
    sigma: float
    affine: float
    side: int | None


class Pixelate(NamedTuple):
    factor: float
    upsample: Literal["box", "nearest"] = "box"


class Jpeg(NamedTuple):
    quality: int


class Spatter(NamedTuple):
    """`mud_precision`: in what the colour of mud is added to the (float32) image; water is always float32."""

    mean: float
    std: float
    sigma: float
    threshold: float
    strength: float
    mud: bool
    mud_precision: Literal["float32", "float64"] = "float32"


Constants = (
    Noise | GaussianBlur | DefocusBlur | GlassBlur | MotionBlur | ZoomBlur | Snow | Frost | Fog | Shift | Saturate
    | Elastic | Pixelate | Jpeg | Spatter
)  # fmt: skip


def _noise(*amounts: float) -> tuple[Noise, ...]:
    return tuple(Noise(a) for a in amounts)


def _shift(*amounts: float) -> tuple[Shift, ...]:
    return tuple(Shift(a) for a in amounts)


def _snow_small(*mixes: float) -> tuple[Snow, ...]:
    rows = (
        (0.1, 0.2, 1, 0.6, 8, 3),
        (0.1, 0.2, 1, 0.5, 10, 4),
        (0.15, 0.3, 1.75, 0.55, 10, 4),
        (0.25, 0.3, 2.25, 0.6, 12, 6),
        (0.3, 0.3, 1.25, 0.65, 14, 12),
    )
    return tuple(Snow(*row, mix) for row, mix in zip(rows, mixes, strict=True))


_ZOOM_SMALL = tuple(ZoomBlur(1, stop, 0.01) for stop in (1.06, 1.11, 1.16, 1.21, 1.26))
_SNOW_IMAGENET = (
    Snow(0.1, 0.3, 3, 0.5, 10, 4, 0.8),
    Snow(0.2, 0.3, 2, 0.5, 12, 4, 0.7),
    Snow(0.55, 0.3, 4, 0.9, 12, 8, 0.7),
    Snow(0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
    Snow(0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
)
_FROST_IMAGENET = ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))
_MOTION_IMAGENET = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))
_SPATTER_IMAGENET = (
    Spatter(0.65, 0.3, 4, 0.69, 0.6, False),
    Spatter(0.65, 0.3, 3, 0.68, 0.6, False),
    Spatter(0.65, 0.3, 2, 0.68, 0.5, False),
    Spatter(0.65, 0.3, 1, 0.65, 1.5, True),
    Spatter(0.67, 0.4, 1, 0.65, 1.5, True),
)
_PIXELATE_IMAGENET = (0.6, 0.5, 0.4, 0.3, 0.25)

HENDRYCKS: dict[str, dict[str, tuple[Constants, ...]]] = {
    "imagenet": {
        "gaussian_noise": _noise(0.08, 0.12, 0.18, 0.26, 0.38),
        "shot_noise": _noise(60, 25, 12, 5, 3),
        "impulse_noise": _noise(0.03, 0.06, 0.09, 0.17, 0.27),
        "speckle_noise": _noise(0.15, 0.2, 0.35, 0.45, 0.6),
        "gaussian_blur": tuple(GaussianBlur(s) for s in (1, 2, 3, 4, 6)),
        "defocus_blur": tuple(DefocusBlur(*c) for c in ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))),
        "glass_blur": tuple(GlassBlur(*c) for c in ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))),
        "motion_blur": tuple(MotionBlur(*c) for c in _MOTION_IMAGENET),
        "zoom_blur": tuple(
            ZoomBlur(*c) for c in ((1, 1.11, 0.01), (1, 1.16, 0.01), (1, 1.21, 0.02), (1, 1.26, 0.02), (1, 1.31, 0.03))
        ),
        "snow": _SNOW_IMAGENET,
        "frost": tuple(Frost(*c) for c in _FROST_IMAGENET),
        "fog": tuple(Fog(a, d, 256) for a, d in ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))),
        "brightness": _shift(0.1, 0.2, 0.3, 0.4, 0.5),
        "contrast": _shift(0.4, 0.3, 0.2, 0.1, 0.05),
        "saturate": tuple(Saturate(*c) for c in ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2))),
        # 244, not 224: the script's own figure.
        "elastic_transform": tuple(
            Elastic(alpha, sigma, affine, 244)
            for alpha, sigma, affine in (
                (2, 0.7, 0.1),
                (2, 0.08, 0.2),
                (0.05, 0.01, 0.02),
                (0.07, 0.01, 0.02),
                (0.12, 0.01, 0.02),
            )
        ),
        "pixelate": tuple(Pixelate(c) for c in _PIXELATE_IMAGENET),
        "jpeg_compression": tuple(Jpeg(q) for q in (25, 18, 15, 10, 7)),
        "spatter": _SPATTER_IMAGENET,
    },
    "cifar": {
        "gaussian_noise": _noise(0.04, 0.06, 0.08, 0.09, 0.10),
        "shot_noise": _noise(500, 250, 100, 75, 50),
        "impulse_noise": _noise(0.01, 0.02, 0.03, 0.05, 0.07),
        "speckle_noise": _noise(0.06, 0.1, 0.12, 0.16, 0.2),
        "gaussian_blur": tuple(GaussianBlur(s) for s in (0.4, 0.6, 0.7, 0.8, 1)),
        "defocus_blur": tuple(DefocusBlur(*c) for c in ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))),
        "glass_blur": tuple(
            GlassBlur(*c) for c in ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2))
        ),
        "motion_blur": tuple(MotionBlur(*c) for c in ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))),
        "zoom_blur": _ZOOM_SMALL,
        "snow": _snow_small(0.95, 0.9, 0.9, 0.85, 0.8),
        "frost": tuple(Frost(x, t, 0.2) for x, t in ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))),
        "fog": tuple(Fog(a, d, 32) for a, d in ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))),
        "brightness": _shift(0.05, 0.1, 0.15, 0.2, 0.3),
        "contrast": _shift(0.75, 0.5, 0.4, 0.3, 0.15),
        "saturate": tuple(Saturate(*c) for c in ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2))),
        "elastic_transform": tuple(
            Elastic(alpha, sigma, affine, 32)
            for alpha, sigma, affine in (
                (0, 0, 0.08),
                (0.05, 0.2, 0.07),
                (0.08, 0.06, 0.06),
                (0.1, 0.04, 0.05),
                (0.1, 0.03, 0.03),
            )
        ),
        "pixelate": tuple(Pixelate(c) for c in (0.95, 0.9, 0.85, 0.75, 0.65)),
        "jpeg_compression": tuple(Jpeg(q) for q in (80, 65, 58, 50, 40)),
        "spatter": (
            Spatter(0.62, 0.1, 0.7, 0.7, 0.5, False),
            Spatter(0.65, 0.1, 0.8, 0.7, 0.5, False),
            Spatter(0.65, 0.3, 1, 0.69, 0.5, False),
            Spatter(0.65, 0.1, 0.7, 0.69, 0.6, True),
            Spatter(0.65, 0.1, 0.5, 0.68, 0.6, True),
        ),
    },
    "tiny-imagenet": {
        "gaussian_noise": _noise(0.04, 0.08, 0.12, 0.15, 0.18),
        "shot_noise": _noise(250, 100, 50, 30, 15),
        "impulse_noise": _noise(0.01, 0.02, 0.05, 0.08, 0.14),
        "speckle_noise": _noise(0.15, 0.2, 0.25, 0.3, 0.35),
        "gaussian_blur": tuple(GaussianBlur(s) for s in (0.5, 0.75, 1, 1.25, 1.5)),
        "defocus_blur": tuple(DefocusBlur(*c) for c in ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1))),
        "glass_blur": tuple(GlassBlur(*c) for c in ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2))),
        "motion_blur": tuple(MotionBlur(*c) for c in ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3))),
        "zoom_blur": _ZOOM_SMALL,
        "snow": _snow_small(0.8, 0.8, 0.7, 0.65, 0.6),
        "frost": tuple(Frost(x, t, 0.3) for x, t in ((1, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55))),
        "fog": tuple(Fog(a, d, 64) for a, d in ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75))),
        "brightness": _shift(0.1, 0.2, 0.3, 0.4, 0.5),
        "contrast": _shift(0.4, 0.3, 0.2, 0.1, 0.05),
        "saturate": tuple(Saturate(*c) for c in ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2))),
        "elastic_transform": tuple(
            Elastic(alpha, sigma, affine, 64)
            for alpha, sigma, affine in (
                (0, 0, 0.08),
                (0.05, 0.3, 0.06),
                (0.1, 0.08, 0.06),
                (0.1, 0.03, 0.03),
                (0.16, 0.03, 0.02),
            )
        ),
        "pixelate": tuple(Pixelate(c) for c in (0.9, 0.8, 0.7, 0.6, 0.5)),
        "jpeg_compression": tuple(Jpeg(q) for q in (65, 58, 50, 40, 25)),
        "spatter": (
            Spatter(0.62, 0.1, 0.7, 0.7, 0.6, False),
            Spatter(0.65, 0.1, 0.8, 0.7, 0.6, False),
            Spatter(0.65, 0.3, 1, 0.69, 0.6, False),
            Spatter(0.65, 0.1, 0.7, 0.68, 0.6, True),
            Spatter(0.65, 0.1, 0.5, 0.67, 0.6, True),
        ),
    },
}

IMAGECORRUPTIONS: dict[str, tuple[Constants, ...]] = {
    **HENDRYCKS["imagenet"],
    "motion_blur": tuple(MotionBlur(*c, "truncate") for c in _MOTION_IMAGENET),
    "snow": tuple(c._replace(layer="float-uncropped") for c in _SNOW_IMAGENET),
    "frost": tuple(Frost(x, t, 1.1, True) for x, t in _FROST_IMAGENET),
    "fog": tuple(Fog(*c) for c in ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))),
    "elastic_transform": tuple(Elastic(250 * c, 0.01, 0, None) for c in (0.05, 0.065, 0.085, 0.1, 0.12)),
    "pixelate": tuple(Pixelate(c, "nearest") for c in _PIXELATE_IMAGENET),
    "spatter": tuple(c._replace(mud_precision="float64") for c in _SPATTER_IMAGENET),
}


def constants(corruption: str, severity: int, preset: str, style: str = "hendrycks") -> Constants:
    """The constants record of one cell.

    Raises UsageError (a ValueError) for an unknown corruption, preset or style, a severity outside 1..5, and
    for the style `imagecorruptions` with a preset other than `imagenet` (that package has no others).
    """
    corruption = choice("corruption", corruption, CORRUPTIONS)
    severity = whole_number("severity", severity, least=SEVERITIES[0], most=SEVERITIES[-1])
    preset = choice("preset", preset, PRESETS)
    style = choice("style", style, STYLES)
    if style == "hendrycks":
        return HENDRYCKS[preset][corruption][severity - 1]
    if preset != "imagenet":
        raise UsageError(f"style 'imagecorruptions' has constants for preset 'imagenet' only, not {preset!r}")
    return IMAGECORRUPTIONS[corruption][severity - 1]
