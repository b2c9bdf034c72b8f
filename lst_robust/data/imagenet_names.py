"""What an image of ImageNet is called, and its class, from the many names that shards give to it.

ILSVRC2012_val_00000293.JPEG and n01440764_10026.JPEG are the names of ILSVRC. Shards add a class to them, before or
behind: n01440764/ILSVRC2012_val_00000293.JPEG, n01440764_ILSVRC2012_val_00000293.jpg,
ILSVRC2012_val_00000293_n01440764.JPEG.
"""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import Sequence

from lst_robust.data.shards import ClassFile, Member, Naming
from lst_robust.errors import DataError

logger = logging.getLogger(__name__)
WNID = re.compile(r"(?<![A-Za-z0-9])n[0-9]{8}(?![0-9])")
OFFICIAL = re.compile(r"ILSVRC2012_val_[0-9]{8}(?![0-9])|(?<![A-Za-z0-9])n[0-9]{8}_[0-9]+(?=[_.]|$)")


def imagenet_naming(wnids: Sequence[str], class_names: Sequence[str] | None) -> Naming:
    """How the images of a container are called. class_names: what its labels count, if it says so.

    The naming raises DataError for an image without a label, for a label that is none of ImageNet's 1,000, and for one
    that contradicts the class in the name. DataError at once for a container of other classes, such as ImageNet-21k.
    """
    label_of = {wnid: label for label, wnid in enumerate(wnids)}
    stored = list(range(len(wnids)))  # which of ImageNet's labels is meant by a stored one
    if class_names is not None and set(class_names) <= set(wnids):
        stored = [label_of[name] for name in class_names]
    elif class_names is not None and len(class_names) != len(wnids):
        raise DataError(
            f"these images have {len(class_names):,} classes, not ImageNet's {len(wnids):,}: give shards of ILSVRC "
            "2012 (ImageNet-1k)"
        )
    said = False

    def naming(member: Member) -> ClassFile:
        nonlocal said
        label = _label(member, stored, label_of)
        file_name = posixpath.basename(member.name)
        if found := OFFICIAL.search(file_name):
            return ClassFile(wnids[label], f"{found[0]}.JPEG", label)
        if not said:
            said = True
            logger.info(
                "%s is not called as in ImageNet, so its noise is not that of the same image in class folders",
                member.described,
            )
        return ClassFile(wnids[label], file_name, label)

    return naming


def _label(member: Member, stored: Sequence[int], label_of: dict[str, int]) -> int:
    """From the label that is stored and from the class in the name, which must agree."""
    in_name = set(WNID.findall("/".join(member.name.split("/")[-2:])))
    if strangers := sorted(in_name - label_of.keys()):
        raise DataError(f"{member.described} is of {strangers[0]}, which is not one of ImageNet's 1,000 classes")
    meant = {label_of[wnid] for wnid in in_name}
    if member.label is not None:
        if not 0 <= member.label < len(stored):
            raise DataError(
                f"{member.described} has the label {member.label}, outside 0..{len(stored) - 1}: give shards of ILSVRC "
                "2012 (ImageNet-1k), with its 1,000 classes"
            )
        meant.add(stored[member.label])
    if len(meant) > 1:
        label = "" if member.label is None else f" and the label {member.label}"
        raise DataError(
            f"{member.described} has {' and '.join(sorted(in_name))} in its name{label}, which are different classes: "
            "correct the shard"
        )
    if not meant:
        raise DataError(
            f"{member.described} has no label: it needs a .cls or .json beside it, a column label, or its class "
            "(such as n01440764) in its name"
        )
    return meant.pop()
