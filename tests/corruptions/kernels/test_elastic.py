"""elastic_transform: the compiled twin equals its definition, byte for byte."""

from __future__ import annotations

from tests.corruptions.kernels.twins import twins

TestElastic = twins("elastic_transform")
