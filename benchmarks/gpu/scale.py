"""How much of everything a run measures: all of it on a GPU, a little of it to try the program."""

from __future__ import annotations

from dataclasses import dataclass

from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions import corruption_names


@dataclass(frozen=True)
class Scale:
    """at_least: seconds that one speed is measured for.

    fidelity_share: of the usual images of benchmarks/fidelity.py, at fidelity_severities. records: images of each cell
    that is compared.
    host, device: images that the two engines corrupt at once, by side. evaluated: images of a measured cell at
    evaluated_side, in batches of batch_size, and of suites_batch_size as in the ImageNet suites. evaluated_small: at 32
    pixels. trained: images of an epoch, by side. corruptions: those at which a whole evaluation is measured.
    """

    at_least: float
    fidelity_share: float
    fidelity_severities: tuple[int, ...]
    records: int
    host: dict[int, int]
    device: dict[int, int]
    evaluated: int
    evaluated_small: int
    evaluated_side: int
    batch_size: int
    suites_batch_size: int
    trained: dict[int, int]
    trained_batch: dict[int, int]
    corruptions: tuple[str, ...]


FULL = Scale(
    at_least=0.15,
    fidelity_share=1.0,
    fidelity_severities=SEVERITIES,
    records=600,
    host={32: 8192, 224: 256},
    device={32: 16384, 224: 512},
    evaluated=4096,
    evaluated_small=10_000,
    evaluated_side=224,
    batch_size=256,
    suites_batch_size=32,
    trained={32: 50_000, 224: 4096},
    trained_batch={32: 128, 224: 256},
    corruptions=corruption_names(),
)
QUICK = Scale(
    at_least=0.0,
    fidelity_share=0.1,
    fidelity_severities=(3,),
    records=40,
    host={32: 32, 224: 2},
    device={32: 32, 224: 2},
    evaluated=4,
    evaluated_small=8,
    evaluated_side=64,
    batch_size=4,
    suites_batch_size=2,
    trained={32: 64, 224: 4},
    trained_batch={32: 32, 224: 2},
    corruptions=("gaussian_noise", "contrast"),
)
