"""Which networks a list of words means: names, patterns of names, and files of both.

    resnet18                    a name, see `model_names`
    timm:resnet*                a pattern: all names of timm that match
    @networks.txt               a file: one network a line, `#` begins a comment

A line of a file is a name or a pattern, and may go on with `checkpoint=FILE` and with options of the network, as in
`timm:tf_efficientnet_lite0 checkpoint=lite0.pth`. The path of a checkpoint, and that of a network's own file as in
`net.py:build`, are relative to the folder of the file; `~` is the home folder. `checkpoint=published:NAME` is one of
`lst_robust.weights`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os.path import expanduser  # which leaves what it does not know as it is, where Path's raises
from pathlib import Path
from typing import Any

from torch import nn
from typing_extensions import Unpack

from lst_robust.arguments import items, optional, wrong
from lst_robust.errors import UsageError, reason_of
from lst_robust.evaluation.options import EvalOptions, checked_options
from lst_robust.evaluation.request import EvalRequest
from lst_robust.models import model_info
from lst_robust.models.patterns import is_pattern, matching_names
from lst_robust.suites import Suite
from lst_robust.weights import is_published

FILE_SIGN = "@"
MAX_BYTES = 1_000_000  # of a file of networks


@dataclass(frozen=True)
class NetworkChoice:
    """A network by its name, or as a module, with what was said of it alone."""

    model: str | nn.Module
    checkpoint: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    of_pattern: bool = False

    @property
    def label(self) -> str:
        """What to call the network in a message."""
        return self.model if isinstance(self.model, str) else type(self.model).__name__

    @property
    def identity(self) -> tuple[object, ...]:
        """What two choices have in common that mean the same network."""
        return (self.model, self.checkpoint, tuple(sorted(self.options.items())))


def requests_of(
    models: Sequence[str | nn.Module], suite: str | Path | Suite = "digits-c", **options: Unpack[EvalOptions]
) -> list[EvalRequest]:
    """One request for each of the networks that are meant, all with the same options.

    `model_options` are for the networks that know them. Raises UsageError, before any work, for whatever cannot be
    meant: nothing that matches, the same network twice, an option that no network knows.
    """
    asked: dict[str, Any] = dict(options)
    words = items("models", models, also=" of names and networks")
    given = optional(checked_options, "model_options", asked.get("model_options")) or {}
    chosen = chosen_networks(words, pretrained=bool(given.get("weights")))
    if len(chosen) == 1 and not chosen[0].options and chosen[0].checkpoint is None:
        return [EvalRequest.of(chosen[0].model, suite, **asked)]
    for key in ("checkpoint", "name"):
        if asked.get(key) is not None:
            advice = "name it in a file of networks, as in `resnet18 checkpoint=FILE`" if key == "checkpoint" else ""
            raise wrong(key, str(asked[key]), advice or "leave it out, for it belongs to one network")
    _require_known_somewhere(given, chosen)
    found: dict[tuple[object, ...], EvalRequest] = {}
    for choice in chosen:
        request = EvalRequest.of(
            choice.model,
            suite,
            **asked | {"checkpoint": choice.checkpoint, "model_options": _options(choice, given, asked)},
        )
        earlier = found.setdefault(_identity(request), request)
        if earlier is not request and not choice.of_pattern:  # ./net.py:f is net.py:f
            other = "" if choice.model == earlier.model else f", the first time as {earlier.label}"
            raise UsageError(f"{choice.model} is named twice{other}: name each network once")
    return list(found.values())


def chosen_networks(words: Sequence[str | nn.Module], *, pretrained: bool = False) -> list[NetworkChoice]:
    """The networks that are meant, in order. One that several patterns mean is there once.

    pretrained: patterns mean the networks that their library has weights for. Raises UsageError for a name that nobody
    knows, for a pattern that matches nothing, for a file that cannot be read, and for a network that is named twice.
    """
    found: dict[tuple[object, ...], NetworkChoice] = {}
    for word in words:
        for choice in _choices(word, pretrained):
            earlier = found.get(choice.identity)
            if earlier is not None and not (earlier.of_pattern or choice.of_pattern):
                raise UsageError(f"{choice.label} is named twice: name each network once")
            if earlier is None:
                found[choice.identity] = choice
    return list(found.values())


def _identity(request: EvalRequest) -> tuple[object, ...]:
    """What two requests have in common that mean the same network, however it was written."""
    options = None if isinstance(request.model, nn.Module) else tuple(sorted(request.options.items()))
    return (request.model, request.checkpoint, options)


def _choices(word: str | nn.Module, pretrained: bool) -> list[NetworkChoice]:
    if isinstance(word, str) and word.startswith(FILE_SIGN):
        return _of_file(Path(expanduser(word[len(FILE_SIGN) :])), pretrained)
    return _named(word, pretrained)


def _named(
    word: str | nn.Module, pretrained: bool, checkpoint: Path | None = None, options: Mapping[str, str] | None = None
) -> list[NetworkChoice]:
    if not isinstance(word, str) or not is_pattern(word):
        return [NetworkChoice(word, checkpoint, options or {})]
    if checkpoint is not None:
        raise UsageError(f"{word!r} with a checkpoint: the weights are of one network, so give its name")
    wanted = pretrained or bool((options or {}).get("weights"))
    return [
        NetworkChoice(name, None, options or {}, of_pattern=True) for name in matching_names(word, pretrained=wanted)
    ]


def _of_file(file: Path, pretrained: bool) -> list[NetworkChoice]:
    """The networks in a file, one a line."""
    found = []
    for number, line in enumerate(_lines(file), start=1):
        try:
            words = _split(line)
            if words:
                found += _of_line(words, file.parent, pretrained)
        except UsageError as error:
            raise UsageError(f"{file}, line {number}: {error}") from error
    if not found:
        raise UsageError(f"{file} names no network: write one a line, such as resnet18")
    return found


def _split(line: str) -> list[str]:
    """The words of a line, as a shell takes them."""
    try:
        return shlex.split(line, comments=True)
    except ValueError as error:  # of quotes and of what stands before the end of the line
        raise UsageError(
            f"{reason_of(error).removeprefix('ValueError: ')}: put a name with spaces or \\ in quotes, and close "
            "them in the same line"
        ) from error


def _lines(file: Path) -> list[str]:
    try:
        if not file.is_file():
            raise UsageError(f"there is no file {file} of networks: after @ stands a file with one network a line")
        if file.stat().st_size > MAX_BYTES:
            raise UsageError(f"{file} is larger than {MAX_BYTES:,} bytes: give a text file, one network a line")
        return file.read_text(encoding="utf-8-sig").splitlines()  # some editors of Windows write a mark before the text
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file}: cannot be read ({reason_of(error)}); give a text file, one network a line"
        ) from error


def _of_line(words: Sequence[str], folder: Path, pretrained: bool) -> list[NetworkChoice]:
    name, *further = words
    if name.startswith(FILE_SIGN):
        raise UsageError(f"{name!r}: a file of networks cannot name another")
    options: dict[str, str] = {}
    for word in further:
        key, equals, value = word.partition("=")
        if not equals or not key or word == "checkpoint=":
            raise UsageError(f"{word!r}: after the name stand checkpoint=FILE and options, as key=value")
        if key in options:
            raise UsageError(f"{name} has two values of {key}, {options[key]!r} and {value!r}: give one of them")
        options[key] = value
    checkpoint = options.pop("checkpoint", None)
    weights = None if checkpoint is None else _weights(checkpoint, folder)
    return _named(_in_folder(name, folder), pretrained, weights, options)


def _weights(checkpoint: str, folder: Path) -> Path:
    """The checkpoint of a line, whose path is meant relative to a folder."""
    return Path(checkpoint) if is_published(checkpoint) else folder / expanduser(checkpoint)


def _in_folder(name: str, folder: Path) -> str:
    """The name of a network `file.py:function`, whose file is meant relative to a folder. Other names stay."""
    file, _, function = name.rpartition(":")
    return f"{folder / expanduser(file)}:{function}" if file.endswith(".py") else name


def _require_known_somewhere(given: Mapping[str, Any], chosen: Sequence[NetworkChoice]) -> None:
    names = [choice.model for choice in chosen if isinstance(choice.model, str)]
    for key in given:
        if not any(_knows(name, key) for name in names):
            raise UsageError(
                f"none of the {len(chosen)} networks has an option {key!r}: `lst-robust models` lists them"
            )


def _knows(name: str, option: str) -> bool:
    known = model_info(name).options
    return known is None or option in known


def _options(choice: NetworkChoice, given: Mapping[str, Any], asked: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The options of one network: those given to all that it knows, and its own. None where there are none: then those
    of the suite count."""
    if not isinstance(choice.model, str):
        return None
    known = {key: value for key, value in given.items() if _knows(choice.model, key)}
    return {**known, **choice.options} or ({} if asked.get("model_options") == {} else None)
