"""pixelate and jpeg_compression: the compiled twins equal their definitions, byte for byte."""

from __future__ import annotations

from tests.corruptions.kernels.twins import twins

TestDigital = twins("pixelate", "jpeg_compression")
