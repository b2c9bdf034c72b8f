"""The sentences by which a zero-shot network is told its classes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lst_robust.data.imagenet import wnids
from lst_robust.errors import UsageError

IMAGENET, SIMPLE, AUTO = "imagenet-80", "simple", "auto"
WNID = re.compile(r"n\d{8}")
WORD = re.compile(r"[^\W\d_]{2}")  # two letters


class Prompts(NamedTuple):
    """`templates` make a sentence of each of the `names`. `kind`: imagenet-80 or simple."""

    kind: str
    names: tuple[str, ...]
    templates: Sequence[Callable[[str], str]]

    @property
    def identity(self) -> str:
        """What tells them from other prompts: their kind, and a hash of all sentences' parts."""
        parts = [self.names, [template("{}") for template in self.templates]]
        return f"{self.kind} {hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]}"


def prompts_for(model: str, classes: Sequence[str], kind: str = AUTO) -> Prompts:
    """The prompts for classes of the data: ImageNet's wnids get the names and the 80 templates of OpenAI that come with
    open_clip, other classes their own names and its 7 simple templates. `kind` may ask for the other templates.

    Raises UsageError for an unknown kind, and for classes whose names are no words.
    """
    import open_clip

    if kind not in (AUTO, IMAGENET, SIMPLE):
        raise UsageError(f"option 'prompts' of {model} is {kind!r}: choose from {AUTO}, {IMAGENET}, {SIMPLE}")
    number_of = {wnid: number for number, wnid in enumerate(wnids())}
    if all(one in number_of for one in classes):
        names = tuple(open_clip.IMAGENET_CLASSNAMES[number_of[one]] for one in classes)
        kind = IMAGENET if kind == AUTO else kind
    else:
        names = tuple(" ".join(re.split(r"[\s_/]+", one)).strip() for one in classes)
        kind = SIMPLE if kind == AUTO else kind
        for name in names:
            if WNID.fullmatch(name) or not WORD.search(name):
                raise UsageError(
                    f"{model} is told the classes by their names, and {name!r} is no word: name the class folders in "
                    "words, or choose a model with a classifier"
                )
    templates = {IMAGENET: open_clip.OPENAI_IMAGENET_TEMPLATES, SIMPLE: open_clip.SIMPLE_IMAGENET_TEMPLATES}
    return Prompts(kind, names, templates[kind])
