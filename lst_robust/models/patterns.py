"""Patterns of names: `lst*`, `torchvision:*`, `timm:resnet*`."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

from lst_robust.errors import UsageError
from lst_robust.models.registry import model_names

SIGNS = frozenset("*?[")


def is_pattern(name: str) -> bool:
    """Whether a name stands for several. A path to a file never does: its name may hold any sign."""
    return not SIGNS.isdisjoint(name) and not name.rpartition(":")[0].endswith(".py")


def matching_names(pattern: str, *, pretrained: bool = False) -> list[str]:
    """The names of networks that a pattern stands for, in the order of their library; UsageError where there is none.

    Without a colon the networks of this package are meant, with `torchvision:` or `timm:` those of the library. In
    timm's names a point stands before the weights (`timm:resnet50.*`); without one each network is meant once.
    pretrained: only those for which the library has weights.
    """
    library, colon, wanted = pattern.rpartition(":")
    known = list(_names(library, wanted, pretrained))
    found = [name for name in known if fnmatchcase(name, wanted)]
    if not found:
        raise UsageError(f"no network matches {pattern!r}: {_advice(library + colon, wanted, known)}")
    return [f"{library}{colon}{name}" for name in found]


def _names(library: str, wanted: str, pretrained: bool) -> Iterable[str]:
    if library == "":
        return model_names()
    if library == "torchvision":
        from torchvision import models

        return models.list_models(models)  # of classification, all of which have weights
    if library == "timm":
        try:
            import timm
        except ImportError:
            raise UsageError("timm: needs the package timm: pip install 'lst-robust[timm]'") from None
        if "." in wanted:
            return timm.list_pretrained()
        known = timm.list_models()
        return [name for name in known if timm.is_model_pretrained(name)] if pretrained else known
    raise UsageError(f"a pattern names networks of this package, or of torchvision: or timm:, and not of {library!r}")


def _advice(prefix: str, wanted: str, known: list[str]) -> str:
    """The nearest names, by the text of the pattern without its signs."""
    bare = "".join(sign for sign in wanted if sign not in "*?[]")
    nearest = get_close_matches(bare, known, n=3, cutoff=0.5)
    if nearest:
        return "did you mean " + " or ".join(prefix + name for name in nearest) + "?"
    return f"there are {len(known)} to choose from, {prefix}{known[0]} ... {prefix}{known[-1]}"
