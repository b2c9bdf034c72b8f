"""Sources whose images are encoded as JPEG, PNG and so on, wherever the bytes lie: in files, or inside of shards."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lst_robust.data.decode import decode, decode_whole
from lst_robust.data.source import ImageSource, decode_each
from lst_robust.errors import UsageError, message_of
from lst_robust.geometry import Geometry, as_they_are, centre_crop


class EncodedSource(ImageSource):
    """Encoded images, decoded, resized and cropped when they are read (see `decode`). A subclass has `encoded` and
    `digest_of`."""

    def __init__(
        self,
        name: str,
        place: str,
        images: Sequence[tuple[str, int]],
        classes: tuple[str, ...],
        image_size: int,
        resize: int | None = None,
        exact: bool = False,
    ) -> None:
        """images: (id, label) of each. exact: refuse images of another size than `image_size`, in place of resizing.

        UsageError for a resize below image_size.
        """
        if resize is not None and resize < image_size:
            raise UsageError(f"resize {resize} is smaller than the image size {image_size}: give at least {image_size}")
        self.name, self.place, self.classes, self.image_size = name, place, classes, image_size
        self.ids = tuple(image_id for image_id, _ in images)
        self.labels = np.array([label for _, label in images], dtype=np.int64)
        self._exact = exact
        self._geometry = as_they_are(image_size) if exact or not image_size else centre_crop(image_size, resize)

    @abstractmethod
    def encoded(self, index: int) -> Path | bytes:
        """The file of an image, or its bytes. May be called from several threads, and may raise anything on damaged
        data."""

    def stored(self, index: int) -> Path | bytes:
        return self.encoded(index)

    @property
    def geometry(self) -> Geometry:
        return self._geometry

    def with_geometry(self, geometry: Geometry) -> EncodedSource:
        if self._exact:
            return super().with_geometry(geometry)  # type: ignore[return-value]  # which raises
        changed = copy.copy(self)
        changed._geometry, changed.image_size = geometry, geometry.size
        return changed

    def load(self, indices: np.ndarray, workers: int) -> tuple[np.ndarray, list[tuple[int, str]]]:
        return decode_each(lambda index: decode(self.encoded(index), self._geometry), indices, self.image_size, workers)

    def whole(self, index: int) -> np.ndarray:
        try:
            return decode_whole(self.encoded(index))
        except Exception as error:  # decoders raise anything on damaged files
            failed = self._unreadable(index, message_of(error))
            raise self._unreadable_error([failed]) from error
