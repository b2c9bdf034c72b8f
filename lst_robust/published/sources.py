"""Who published the results: each source with its address, its state, its licence, and how it is cited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class PublishedSource:
    """`name`: what `--published` takes. `state`: which state of the source the numbers were taken from."""

    name: str
    title: str
    url: str
    state: str
    licence: str
    citation: str

    @property
    def note(self) -> str:
        """Source, licence and citation as one line below a table."""
        stated = ", ".join(part for part in (self.url, self.state, self.licence) if part)
        return f"Source: {self.title} ({stated}). Please cite {self.citation}."


_SOURCES = (
    PublishedSource(
        name="robustbench",
        title="RobustBench",
        url="https://github.com/RobustBench/robustbench",
        state="commit 78fcc9e of 2025-03-31",
        licence="MIT licence",
        citation="Croce et al., RobustBench: a standardized adversarial robustness benchmark, NeurIPS Datasets and "
        "Benchmarks 2021",
    ),
    PublishedSource(
        name="testbed",
        title="imagenet-testbed",
        url="https://github.com/modestyachts/imagenet-testbed",
        state="commit 0170eec of 2023-08-05",
        licence="MIT licence",
        citation="Taori et al., Measuring Robustness to Natural Distribution Shifts in Image Classification, "
        "NeurIPS 2020",
    ),
    PublishedSource(
        name="paper",
        title="the LST-Net paper, Table 4",
        url="",
        state="as printed",
        licence="",
        citation="Li, Wang, Li, Feng, Zhang, LST-Net: Learning a Convolutional Neural Network with a Learnable Sparse "
        "Transform, ECCV 2020",
    ),
    PublishedSource(
        name="hendrycks",
        title="the authors of ImageNet-C",
        url="https://github.com/hendrycks/robustness",
        state="",
        licence="Apache licence 2.0",
        citation="Hendrycks, Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and "
        "Perturbations, ICLR 2019",
    ),
)
SOURCES: Mapping[str, PublishedSource] = MappingProxyType({source.name: source for source in _SOURCES})
"""By the name that `--published` takes."""
