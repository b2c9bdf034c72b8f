"""The four noises: each compiled twin equals its definition, byte for byte."""

from __future__ import annotations

from tests.corruptions.kernels.twins import twins

TestNoise = twins("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise")
