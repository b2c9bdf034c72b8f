"""The ids of images in tar shards, from which their noise follows, and how a set cuts its images.

The ids are those of an evaluation. Here an image needs no class that counts, so images that an evaluation of
`image_folder` would refuse have ids as well.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from lst_robust.data.class_folders import readable_name
from lst_robust.data.imagenet import ImageNetDataset, wnids
from lst_robust.data.imagenet_names import OFFICIAL, WNID, imagenet_naming
from lst_robust.data.shards import Member, image_id
from lst_robust.errors import DataError, UsageError
from lst_robust.generation.inputs import cut_from
from lst_robust.geometry import Geometry, centre_crop
from lst_robust.suites import Suite

Names = Literal["image_folder", "imagenet"]
ImageId = Callable[[Member], str]


class Cut(NamedTuple):
    """Which images a set of shards is made of: the rule of their ids, and their geometry.

    size: the side of the squares in pixels, None where images keep their sizes; resize: the shorter side before that.
    """

    names: Names
    size: int | None
    resize: int | None

    @property
    def geometry(self) -> Geometry | None:
        return None if self.size is None else centre_crop(self.size, self.resize)

    def image_ids(self) -> ImageId:
        """The rule, for the images of any number of shards."""
        if self.names == "imagenet":
            naming = imagenet_naming(wnids(), None)
            return lambda member: image_id(naming(member))
        return _id_in_folders()


class CleanShards(NamedTuple):
    """Tar files that are to be corrupted, and how."""

    paths: Sequence[Path]
    cut: Cut


def cut_of_size(size: int | None) -> Cut:
    """As `open_images` cuts the images of a folder."""
    return Cut("image_folder", size, None if size is None else cut_from(size))


def cut_of_suite(suite: Suite) -> Cut:
    """As an evaluation of the suite cuts and names its images. UsageError for suites of other data, and for those that
    take only some of the images."""
    dataset = suite.dataset
    if dataset.kind not in ("imagenet", "image_folder"):
        raise UsageError(f"the images of suite {suite.name!r} do not lie in shards: leave out --format tar")
    if suite.subset is not None or suite.limit is not None:
        raise UsageError(f"suite {suite.name!r} takes some of the images, and shards are corrupted whole: give another")
    names: Names = "imagenet" if isinstance(dataset, ImageNetDataset) else "image_folder"
    return Cut(names, suite.image_size, getattr(dataset, "resize", None))


def _id_in_folders() -> ImageId:
    """ "<class folder>/<file name>"; of images that lie in no folder, ImageNet's name, or "<label>/<file name>"."""
    of_imagenet = imagenet_naming(wnids(), None)

    def name(member: Member) -> str:
        folder, file = posixpath.basename(posixpath.dirname(member.name)), posixpath.basename(member.name)
        if folder not in ("", posixpath.curdir, posixpath.pardir):
            return readable_name(f"{folder}/{file}")
        if OFFICIAL.search(file) or WNID.search(file):
            return image_id(of_imagenet(member))
        if member.label is None:
            raise DataError(
                f"{member.described} has no class, from which its noise follows: it needs a .cls or .json with a label "
                "beside it, or a class folder in its name"
            )
        return f"{member.label}/{readable_name(file)}"

    return name
