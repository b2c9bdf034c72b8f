"""snow, frost and fog: the compiled twins equal their definitions, byte for byte."""

from __future__ import annotations

from tests.corruptions.kernels.twins import twins

TestWeather = twins("snow", "frost", "fog")
