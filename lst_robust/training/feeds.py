"""The batches of an epoch: the same images in the same order, whichever way they come.

For a network on the CPU, threads load them and the main thread augments them (`HostFeed`). For a network elsewhere,
the device augments them (`DeviceFeed`): it has all images in its memory where they fit, else threads send them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from lst_robust.data import ImageSource
from lst_robust.models.preprocess import Preprocess
from lst_robust.models.resident import on_device, resident_images
from lst_robust.runtime.devices import asynchronous, sent
from lst_robust.runtime.interruption import check_interrupted
from lst_robust.runtime.prefetch import prefetch
from lst_robust.runtime.process_group import Ranks
from lst_robust.suites.recipe import Recipe
from lst_robust.training.augmentation import Draws, augment, augmented_on_device, random_parts
from lst_robust.training.batches import Plan
from lst_robust.training.decoding import decoded_parts, decoded_squares


class Batch(NamedTuple):
    """n: images of the whole batch; images: of this process's share of it, augmented and normalised, float32
    (b, 3, H, W), channels last, on the device; labels: int64 (b,), on the device."""

    n: int
    images: torch.Tensor
    labels: torch.Tensor


class Feed(ABC):
    """Batches by a recipe. The draws of an epoch depend on the recipe's seed and the epoch only."""

    def __init__(
        self, source: ImageSource, recipe: Recipe, plan: Plan, preprocess: Preprocess, workers: int, ranks: Ranks
    ) -> None:
        self.source, self.recipe, self.plan = source, recipe, plan
        self.preprocess, self.workers, self.ranks = preprocess, workers, ranks
        self.device = preprocess.device
        self.labels = torch.from_numpy(source.labels)

    @abstractmethod
    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch, counted from 0."""

    def _order(self, epoch: int) -> tuple[torch.Generator, list[tuple[int, int]], list[torch.Tensor]]:
        """The generator of the epoch's draws after the first of them, which is the order of all images; (start, stop)
        of each batch in it; and the indices of this process's share of each batch."""
        generator = torch.Generator().manual_seed(epoch_seed(self.recipe.seed, epoch))
        order = torch.randperm(len(self.source), generator=generator)
        batches = self.plan.batches(epoch)
        return generator, batches, [order[start:stop][self.ranks.rank :: self.ranks.world] for start, stop in batches]


class HostFeed(Feed):
    """Images are loaded by threads and augmented by the CPU."""

    def epoch(self, epoch: int) -> Iterator[Batch]:
        augmentation = self.recipe.augmentation
        generator, batches, shares = self._order(epoch)

        def load(indices: Sequence[int]) -> np.ndarray:
            if augmentation.random_resized_crop is None:
                return self.source.read(indices)
            return random_parts(self.source, indices, augmentation.random_resized_crop, self.recipe.seed, epoch)

        loaded = prefetch(load, [share.tolist() for share in shares], self.workers)
        for (start, stop), share, images in zip(batches, shares, loaded, strict=True):
            draws = Draws.of(stop - start, augmentation, generator).share(*self.ranks)
            batch = augment(torch.from_numpy(images).permute(0, 3, 1, 2), draws, augmentation.crop_padding)
            pixels = self.preprocess(batch.permute(0, 2, 3, 1).numpy())
            labels = self.labels[share].to(self.device)
            yield Batch(stop - start, pixels.contiguous(memory_format=torch.channels_last), labels)


class DeviceFeed(Feed):
    """Images are augmented on the device, and nothing waits for it: all draws of an epoch go there at its start."""

    def __init__(
        self, source: ImageSource, recipe: Recipe, plan: Plan, preprocess: Preprocess, workers: int, ranks: Ranks
    ) -> None:
        super().__init__(source, recipe, plan, preprocess, workers, ranks)
        whole_images = recipe.augmentation.random_resized_crop is not None
        # Decoded as those that are sent: how much memory is free must not decide about pixels.
        decoded = partial(decoded_squares, source)
        self.resident = None if whole_images else resident_images(source, self.device, workers, decoded)
        self.labels = sent(self.labels, self.device)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        augmentation = self.recipe.augmentation
        generator, batches, shares = self._order(epoch)
        draws = _joined([Draws.of(stop - start, augmentation, generator).share(*self.ranks) for start, stop in batches])
        draws = Draws(*(None if drawn is None else sent(drawn, self.device) for drawn in draws))
        indices = sent(torch.cat(shares), self.device)

        first = 0
        with closing(self._images(epoch, shares, indices)) as found:
            for (start, stop), (images, chosen) in zip(batches, found, strict=True):
                check_interrupted()
                last = first + (len(images) if chosen is None else len(chosen))
                drawn, labels = draws.part(slice(first, last)), self.labels.index_select(0, indices[first:last])
                first = last
                images = augmented_on_device(images, chosen, drawn, augmentation.crop_padding)
                yield Batch(stop - start, self.preprocess(images).contiguous(memory_format=torch.channels_last), labels)

    def _images(
        self, epoch: int, shares: list[torch.Tensor], indices: torch.Tensor
    ) -> Generator[tuple[torch.Tensor, torch.Tensor | None], None, None]:
        """For each share some images on the device, uint8 (n, S, S, 3), and which of them it is, int64 (b,); None for
        all. indices: those of all shares, on the device."""
        if self.resident is not None:
            yield from ((self.resident, chosen) for chosen in indices.split([len(share) for share in shares]))
            return
        smallest = self.recipe.augmentation.random_resized_crop

        def load(indices: Sequence[int], images: np.ndarray) -> None:
            if smallest is None:
                decoded_squares(self.source, indices, images)
            else:
                decoded_parts(self.source, indices, images, smallest, (self.recipe.seed, epoch))

        batches = [share.tolist() for share in shares]
        with closing(on_device(load, batches, self.source.image_size, self.device, self.workers)) as loaded:
            yield from ((images, None) for images in loaded)


def feed_of(
    source: ImageSource, recipe: Recipe, plan: Plan, preprocess: Preprocess, workers: int, ranks: Ranks
) -> Feed:
    """The feed for the preprocessing's device."""
    kind = DeviceFeed if asynchronous(preprocess.device) else HostFeed
    return kind(source, recipe, plan, preprocess, workers, ranks)


def _joined(draws: list[Draws]) -> Draws:
    """The draws of several batches in a row."""
    corners = [drawn.corner for drawn in draws if drawn.corner is not None]
    flips = [drawn.flip for drawn in draws if drawn.flip is not None]
    return Draws(torch.cat(corners, 1) if corners else None, torch.cat(flips) if flips else None)


def epoch_seed(seed: int, epoch: int) -> int:
    """Of the draws of an epoch. It is even: the odd numbers are for dropout."""
    return (seed * 1_000_003 + epoch) * 2
