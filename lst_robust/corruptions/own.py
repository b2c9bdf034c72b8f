"""Corruptions from outside: a user's own function, or that of an installed plugin, becomes one.

    import lst_robust

    @lst_robust.register_corruption("posterize", label="Poster", constants=[6, 5, 4, 3, 2])
    def posterize(image, bits, rng):
        step = 2 ** (8 - bits)
        return image // step * step

From then on `posterize` is a name like any other. A package registers its corruptions when it is imported, and names
its module in the entry point group `lst_robust.corruptions`, so that the command line finds it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np

from lst_robust import arguments
from lst_robust.arguments import wrong
from lst_robust.benchmark import CORRUPTIONS, OWN_GROUP, SEVERITIES, add_corruption, default_label, load_plugins
from lst_robust.corruptions.base import Apply, Corruption, Draw, Draws, Kernel, TorchFunction, checked_result
from lst_robust.corruptions.presets import PRESETS
from lst_robust.corruptions.streams import Streams
from lst_robust.errors import LstRobustError, UsageError, message_of, unknown_name
from lst_robust.runtime.code_digest import plugin_code_of

F = TypeVar("F", bound=Callable[..., np.ndarray])
PLAIN = (type(None), bool, int, float, str)
MAX_REASON = 200  # characters of an error of the user's own code


class Registered(NamedTuple):
    """A corruption from outside; `code`: the functions as they were handed over, but that of torch's engine."""

    corruption: Corruption
    version: int
    code: tuple[Callable[..., Any], ...]


_registered: dict[str, Registered] = {}
_unread: set[str] = set()  # names whose code has not been read yet


def register_corruption(
    name: str,
    *,
    group: str = OWN_GROUP,
    label: str | None = None,
    constants: Sequence[Any] | Mapping[str, Sequence[Any]] = SEVERITIES,
    version: int = 1,
    draw: Draw | None = None,
    kernel: Kernel | None = None,
    torch: TorchFunction | None = None,
) -> Callable[[F], F]:
    """Makes the decorated function a corruption of that name. The function itself stays as it is.

    Without `draw` the function is called for one image: `f(image, c, rng)`, with image uint8 (H, W, 3), `c` the
    severity's constant, and rng a numpy.random.Generator that depends on nothing but the image's id, the seed, the
    corruption and the severity. It returns uint8 (H, W, 3). NumPy may change its generators with a release.

    With `draw` it is called for a batch: `f(images, draws, c)`, with images uint8 (N, H, W, 3) and draws what
    `draw(streams, height, width, c)` returned, see `lst_robust.corruptions.Corruption`; `no_draws` draws nothing. A
    `kernel(images, streams, c)` gives the same bytes faster. Several threads may call all of them at once.

    `torch(images, streams, c)` is the same for torch's engine: images is a uint8 tensor (N, H, W, 3) on any device, and
    streams gives draws there, see `lst_robust.torch_engine.TensorStreams`. It returns uint8 (N, H, W, 3) on the same
    device, and gives each image the same result in any batch. Without it the host makes the images of that engine, too.

    group, label: where the tables show it, and under which head. constants: five values, one a severity (default: the
    severity itself), or five for each preset; numbers, texts, and tuples of them. version: raise it when the pixels
    change for a reason that is not in the code, such as a file that it reads. Cells of another version, other constants
    or other code are measured anew.

    Raises UsageError for a name that is taken, and for arguments that cannot be meant.
    """
    version = arguments.whole_number("version", version, least=1)
    by_preset = _by_preset(name, constants)
    arguments.optional(arguments.function, "draw", draw)
    arguments.optional(arguments.function, "kernel", kernel)
    arguments.optional(arguments.function, "torch", torch)
    if kernel is not None and draw is None:
        raise UsageError(f"the kernel of {name} has no plain definition to equal: give draw, and a function of a batch")

    def register(function: F) -> F:
        arguments.function(f"what is registered as {name}", function)
        _refuse_taken_name(name, function)
        add_corruption(name, group, default_label(str(name)) if label is None else label)
        apply: Apply = OneByOne(name, function) if draw is None else function
        corruption = Corruption(name, by_preset, apply, draw or _draw_keys, kernel, torch)
        code = tuple(part for part in (function, draw, kernel) if part is not None)
        _registered[name] = Registered(corruption, version, code)
        _unread.add(name)
        return function

    return register


def registered(name: str) -> Registered:
    """The corruption from outside of that name. UsageError where there is none."""
    load_plugins()
    if name not in _registered:
        raise unknown_name("corruption", name, (*CORRUPTIONS, *_registered))
    found = _registered[name]
    if name in _unread:  # before it works for the first time, which may fill a list or a dict that it names
        _unread.discard(name)
        for part in (*found.code, found.corruption.torch):
            plugin_code_of(part)
    return found


def corruption_digest(name: str, *, by_torch: bool = False) -> str | None:
    """What decides the pixels of a corruption from outside: a hash of its version, constants and code.

    by_torch: torch's engine makes them, so its function counts, too. Without one the host makes the same pixels.
    None for the 19 of the papers, whose version is `ENGINE_VERSION`. Another version of Python compiles code to other
    instructions, and so gives another hash.
    """
    if name in CORRUPTIONS:
        return None
    corruption, version, code = registered(name)
    if by_torch and corruption.torch is not None:
        code = (*code, corruption.torch)
    parts = [version, sorted(corruption.constants.items()), *map(plugin_code_of, code)]
    return hashlib.sha256(repr(parts).encode("utf-8", "backslashreplace")).hexdigest()[:16]


@dataclass(frozen=True)
class OneByOne:
    """The `apply` of a function of one image."""

    name: str
    function: Callable[..., Any]

    def __call__(self, images: np.ndarray, draws: Draws, c: Any) -> np.ndarray:
        result = np.empty_like(images)
        for i, (image, key) in enumerate(zip(images, draws["key"], strict=True)):
            result[i] = checked_result(self.name, self.function(image, c, _generator(key)), image.shape)
        return result


def guarded(name: str, work: Callable[[np.ndarray, Streams], Any]) -> Callable[[np.ndarray, Streams], np.ndarray]:
    """The work of a corruption from outside, on a copy of the images; whatever goes wrong in it is one UsageError."""

    def checked(images: np.ndarray, streams: Streams) -> np.ndarray:
        try:
            result = work(images.copy(), streams)
        except (LstRobustError, MemoryError):
            raise
        except (Exception, SystemExit) as error:  # the user's own code: anything can happen in it
            raise failure(name, error, images.shape) from error
        return checked_result(name, result, images.shape)

    return checked


def failure(name: str, error: Exception | SystemExit, shape: Sequence[int]) -> UsageError:
    """What went wrong in the code of a corruption from outside. shape: of the images, (N, H, W, 3)."""
    reason, (height, width) = message_of(error, MAX_REASON), shape[1:3]
    return UsageError(
        f"corruption {name} failed on images of {width}x{height} pixels ({type(error).__name__}: {reason}): "
        "correct its code"
    )


def _draw_keys(streams: Streams, height: int, width: int, c: Any) -> Draws:
    """`key`: uint32 (N, 2), of which each image's generator is made."""
    return {"key": streams.keys}


def _generator(key: np.ndarray) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=int(key[0]) | int(key[1]) << 32))


def _refuse_taken_name(name: str, function: Callable[..., Any]) -> None:
    """A module may register a name again, such as from a notebook's cell that is run twice, but not another's."""
    if name in _registered:
        before, now = _registered[name].code[0].__module__, getattr(function, "__module__", "")
        if before != now:
            raise UsageError(f"corruption {name} is registered already, by {before}: choose another name in {now}")


def _by_preset(name: str, constants: Any) -> dict[str, tuple[Any, ...]]:
    if isinstance(constants, Mapping):
        if not constants:
            raise UsageError(f"constants of {name} is empty: give five values for one preset or several")
        return {
            arguments.choice("preset", preset, PRESETS): _five(name, values) for preset, values in constants.items()
        }
    return dict.fromkeys(PRESETS, _five(name, constants))


def _five(name: str, values: Any) -> tuple[Any, ...]:
    found = arguments.items(f"constants of {name}", values)
    if len(found) != len(SEVERITIES):
        raise UsageError(f"constants of {name} has {len(found)} values: give five, one for each severity")
    return tuple(_plain(f"constants[{place}] of {name}", value) for place, value in enumerate(found))


def _plain(name: str, value: Any) -> Any:
    """Numbers, texts and tuples of them, whose text says all about them."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list):
        value = tuple(value)
    if isinstance(value, tuple):
        for part in value:
            _plain(name, part)
    elif not isinstance(value, PLAIN):
        raise wrong(name, value, "give a number or a text, or a tuple of them")
    return value
