"""brightness, contrast and saturate: the compiled twins equal their definitions, byte for byte."""

from __future__ import annotations

from tests.corruptions.kernels.twins import twins

TestColor = twins("brightness", "contrast", "saturate")
