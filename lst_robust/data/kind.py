"""What a kind of data set is made of. Each file of this folder that reads a data set ends with such a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar, get_args

from lst_robust.arguments import function, optional, wrong
from lst_robust.benchmark import NAME
from lst_robust.data.corrupted import CorruptedSet
from lst_robust.data.source import ImageSource, Split
from lst_robust.data.subset import Subset
from lst_robust.schema import Config


class DatasetConfig(Config):
    """The `dataset` section of a suite.

    Each kind of data set has a subclass. It states its name, as in `kind: Literal["digits"]`, and its own options.
    """

    kind: str

    @property
    def dataset_name(self) -> str:
        """The name of the data set in messages: the option `name` of a kind that has one, else the kind."""
        return str(getattr(self, "name", self.kind))


class Published(NamedTuple):
    """What is published about a data set: the number of images of each split, the number of classes, and MD5 sums of
    archives and files by their path below the data folder."""

    images: Mapping[Split, int]
    classes: int
    md5: Mapping[str, str]


ConfigT = TypeVar("ConfigT", bound=DatasetConfig)


@dataclass(frozen=True)
class DatasetKind(Generic[ConfigT]):
    """Everything that the rest of the package asks about a kind of data set.

    config: class of the YAML section, with the kind's name and options.
    open: (config, data folder or None, split, image size) -> the clean images of one split.
    open_official: (config, folder or None, image size) -> the corrupted images that somebody published, if any.
    published: what is published about each data set of this kind, by `DatasetConfig.dataset_name`.
    download: (config, folder) fetches the clean images into an existing folder. A text says where people get them
    themselves. None means that there is nothing to get.
    fixed_size: the images have one size only, so that no other resize or crop can be applied to them.
    subsets: published choices of the test images.
    """

    config: type[ConfigT]
    open: Callable[[ConfigT, Path | None, Split, int], ImageSource]
    open_official: Callable[[ConfigT, Path | None, int], CorruptedSet] | None = None
    published: Mapping[str, Published] = field(default_factory=dict)
    download: Callable[[ConfigT, Path], object] | str | None = None
    fixed_size: bool = False
    subsets: Sequence[Subset] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.config, type) or not issubclass(self.config, DatasetConfig):
            raise wrong("config", self.config, "give a subclass of DatasetConfig")
        names = get_args(self.config.model_fields["kind"].annotation)
        if len(names) != 1 or not isinstance(names[0], str) or not NAME.fullmatch(names[0]):
            raise wrong("config", self.config, 'it must state its name, as in kind: Literal["toy_digits"]')
        function("open", self.open)
        optional(function, "open_official", self.open_official)
        if not isinstance(self.download, str):
            optional(function, "download", self.download)

    @property
    def name(self) -> str:
        """What stands behind `kind:` in a suite."""
        name: str = get_args(self.config.model_fields["kind"].annotation)[0]
        return name

    @property
    def has_official(self) -> bool:
        """Whether there are published corrupted images, which a suite of the protocol `official` needs."""
        return self.open_official is not None
