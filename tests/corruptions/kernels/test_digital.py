"""pixelate: the compiled twin equals its definition, byte for byte."""

from __future__ import annotations

from tests.corruptions.kernels.twins import twins

TestDigital = twins("pixelate")
