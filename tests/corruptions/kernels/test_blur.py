"""gaussian_blur, glass_blur, motion_blur and zoom_blur: the compiled twins equal their definitions, byte for byte."""

from __future__ import annotations

from tests.corruptions.kernels.twins import twins

TestBlur = twins("gaussian_blur", "glass_blur", "motion_blur", "zoom_blur")
