"""Fixed choices of test images that somebody has published: the same images in every paper that names them.

An image is known by the number in its file name, such as 293 in ILSVRC2012_val_00000293.JPEG. So neither the extension,
nor its case, nor what else stands in the name matters. A bare number is not enough: shards often count their images.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lst_robust.data.source import ImageSource
from lst_robust.errors import DataError


@dataclass(frozen=True)
class Subset:
    """A published choice of a data set's test images.

    origin: who has published it, for messages.
    numbers: () -> the numbers of the images; called when the subset is used.
    prefix: what stands before the eight digits of the number in a file's name, such as "ILSVRC2012_val_".
    """

    name: str
    origin: str
    numbers: Callable[[], Sequence[int]]
    prefix: str

    def of(self, source: ImageSource) -> ImageSource:
        """A view of these images, in the source's own order.

        Raises DataError when some of them are not in the source, or when two files have the same number.
        """
        wanted, found = set(self.numbers()), dict[int, int]()
        for index, image_id in enumerate(source.ids):
            number = self.number(image_id)
            if number is None or number not in wanted:
                continue
            if number in found:
                raise DataError(
                    f"{source.place} holds {source.ids[found[number]]} and {image_id}, two images of one number of the "
                    f"subset {self.name}: remove one of them"
                )
            found[number] = index
        if missing := sorted(wanted - found.keys()):
            raise DataError(
                f"{len(missing):,} of the {len(wanted):,} images of the subset {self.name} ({self.origin}) are not in "
                f"{source.place}, such as {self.prefix}{missing[0]:08d}: complete the data set, or leave out the "
                "subset"
            )
        return source.select(np.sort(np.array(list(found.values()), dtype=np.int64)))

    def number(self, image_id: str) -> int | None:
        """The number of an image, from the last part of its id: "n01440764/ILSVRC2012_val_00000293.JPEG" -> 293."""
        found = re.search(rf"{re.escape(self.prefix)}([0-9]{{8}})(?![0-9])", os.path.basename(image_id))
        return int(found[1]) if found else None
