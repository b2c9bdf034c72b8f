"""The presets and styles: whose severity constants a corruption takes.

Presets are the constants of the ImageNet-C authors' three generation scripts (Hendrycks & Dietterich, ICLR 2019,
https://github.com/hendrycks/robustness): `imagenet` is make_imagenet_c.py (224 px), `tiny-imagenet` is
make_tinyimagenet_c.py (64 px), `cifar` is make_cifar_c.py (32 px). The style `imagecorruptions` replaces, at 224 px
only, what the package imagecorruptions 1.1.2 does differently.

The constants themselves stand with each corruption, in noise.py, blur.py, weather.py, color.py, digital.py and
elastic.py; registry.py has `constants`, which looks one up. This module is light, so that a suite can name a preset
without loading the engine.
"""

from __future__ import annotations

PRESET_SIZES = {"imagenet": 224, "tiny-imagenet": 64, "cifar": 32}
"""Preset -> the side in pixels of the images that its constants are made for."""
PRESETS: tuple[str, ...] = tuple(PRESET_SIZES)
STYLES: tuple[str, ...] = ("hendrycks", "imagecorruptions")
WITH_STYLES = "imagenet"
"""The only preset that has constants of the style `imagecorruptions`."""
