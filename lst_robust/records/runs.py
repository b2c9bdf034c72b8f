"""To which run a measurement belongs: an earlier one of the same network on the same images, or a new one.

Each run's folder holds `run.json`: its protocol, the network's identity, and the network's answers to the probe images.
A measurement goes on with an earlier run only when protocol and identity are equal and today's answers are those of
that run, to rounding. Everything else is a run of its own, in a folder of its own, and a line says why.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field, ValidationError, model_validator

from lst_robust.errors import DataError
from lst_robust.evaluation.identity.probe import same_answers
from lst_robust.records.record import ModelIdentity, Protocol, Run, Strict
from lst_robust.records.store import RUN_FILE, Store, parse_record, record_files
from lst_robust.runtime.file_lock import file_lock
from lst_robust.runtime.files import write_output
from lst_robust.schema import first_mistake

SCHEMA: Literal[1] = 1
ANSWERS = np.dtype("<f4")
Note = Callable[[str], None]


class RunFile(Strict):
    """The content of `run.json`. `answers`: float32, little-endian, base64, in the shape (images, classes)."""

    schema_version: Literal[1] = SCHEMA
    protocol: Protocol
    model: ModelIdentity
    images: int = Field(ge=1)
    classes: int = Field(ge=1)
    answers: str

    @model_validator(mode="after")
    def _consistent(self) -> RunFile:
        content = base64.b64decode(self.answers, validate=True)
        if len(content) != self.images * self.classes * ANSWERS.itemsize:
            raise ValueError(f"the answers are not those of {self.classes} classes to {self.images} images")
        if _sha256(content) != self.model.probe:
            raise ValueError("the answers are not those that the network's identity names")
        return self

    @classmethod
    def of(cls, run: Run, answers: np.ndarray) -> RunFile:
        """run: without a probe; answers: float32 (images, classes)."""
        content = answers.astype(ANSWERS).tobytes()
        model = run.model.model_copy(update={"probe": _sha256(content)})
        images, classes = answers.shape
        text = base64.b64encode(content).decode("ascii")
        return cls(protocol=run.protocol, model=model, images=images, classes=classes, answers=text)

    @property
    def run(self) -> Run:
        return Run(self.protocol, self.model)

    def probe_answers(self) -> np.ndarray:
        """float32 (images, classes)."""
        return np.frombuffer(base64.b64decode(self.answers), ANSWERS).reshape(self.images, self.classes)


class EarlierRun(NamedTuple):
    """A run of the same model name on the same suite. answers: None where they are not known."""

    run: Run
    answers: np.ndarray | None
    folder: Path


def settle_run(store: Store, run: Run, answers: np.ndarray, note: Note, warn: Note) -> Run:
    """The run, complete with the probe, that a measurement of `run` belongs to; its `run.json` is there afterwards.

    run: without a probe; answers: the network's to the probe images, float32 (images, classes). note: receives a line
    when it is a new run although there are earlier ones that look like it. Raises DataError when the disk refuses.
    """
    folder = store.model_folder(run)
    with file_lock(folder / ".run.lock", wait=True):  # of several processes that begin, one decides
        earlier = earlier_runs(folder, warn)
        for found in earlier:
            if found.answers is not None and _without_probe(found.run) == run and same_answers(found.answers, answers):
                return found.run
        new = RunFile.of(run, answers)
        begun = store.run_folder(new.run).is_dir()  # only its run.json was lost
        write_output(store.run_folder(new.run) / RUN_FILE, (new.model_dump_json(indent=1) + "\n").encode())
    if not begun and (reason := _why_new(run, earlier)):
        note(reason)
    return new.run


def earlier_runs(folder: Path, warn: Note) -> list[EarlierRun]:
    """The runs in a model's folder, sorted by path. Files that cannot be trusted are named through `warn`."""
    found = []
    for run_folder in sorted(path for path in folder.glob("n*-seed*-*") if path.is_dir()):
        try:
            earlier = _earlier_run(run_folder)
        except DataError as error:
            warn(f"{error}; it is not used")
            continue
        if earlier is not None and run_folder.name.endswith(earlier.run.digest):
            found.append(earlier)
    return found


def read_run_file(path: Path) -> RunFile:
    """The checked content of a `run.json`; DataError in one line when it cannot be trusted."""
    try:
        return RunFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise DataError(f"{path}: damaged ({first_mistake(error)})") from error


def _earlier_run(folder: Path) -> EarlierRun | None:
    """What a run's folder says of itself: in its `run.json`, or where earlier releases left none, in a record."""
    path = folder / RUN_FILE
    if path.exists():
        content = read_run_file(path)
        return EarlierRun(content.run, content.probe_answers(), folder)
    for record in record_files(folder):
        try:
            return EarlierRun(parse_record(record).run, None, folder)
        except DataError:  # whoever reads the records names it
            continue
    return None


def _why_new(run: Run, earlier: list[EarlierRun]) -> str | None:
    """Why a measurement does not go on with an earlier run that has its name, images and weights, if there is one."""
    alike = [found for found in earlier if _looks_like(found.run, run)]
    name, pixels = run.model.name, run.protocol.pixels
    other_answers = (
        f"{name} gives other answers to the probe images than an earlier run with the same weights: its code has "
        "changed, so this is a run of its own"
    )
    reasons: list[tuple[Callable[[EarlierRun], bool], str]] = [  # the first that fits an earlier run
        (lambda found: found.answers is not None and _without_probe(found.run) == run, other_answers),
        (
            lambda found: found.answers is not None and found.run.protocol == run.protocol,
            f"{name} has the weights of an earlier run, but is another network ({_differences(run, alike)}): this is "
            "a run of its own",
        ),
        (
            lambda found: found.run.protocol.pixels not in (None, pixels),
            f"the images have the same names as in an earlier run of {name}, but other pixels: all is measured anew",
        ),
        (
            lambda found: found.run.protocol.pixels is None,
            f"the records of {name} from an earlier release do not say of which pixels they are: they are kept, and "
            "all is measured anew",
        ),
    ]
    return next((reason for fits, reason in reasons if any(map(fits, alike))), None)


def _differences(run: Run, earlier: list[EarlierRun]) -> str:
    """What of the network's identity is not as in the last of the earlier runs, in words."""
    words = {"options": "other options", "code": "its file has changed", "structure": "other modules or settings"}
    last = earlier[-1].run.model if earlier else run.model
    named = [text for field, text in words.items() if getattr(last, field) != getattr(run.model, field)]
    return ", ".join(named) or "another preprocessing"


def _looks_like(earlier: Run, run: Run) -> bool:
    """Whether two runs could be taken for one: the same images by name, seed of the noise, and weights."""
    first, second = earlier.protocol, run.protocol
    same_protocol = (first.images, first.suite_digest, first.seed) == (second.images, second.suite_digest, second.seed)
    same_weights = earlier.model.checkpoint_sha256 == run.model.checkpoint_sha256
    return same_protocol and same_weights and first.preprocess in (None, second.preprocess)


def _without_probe(run: Run) -> Run:
    return Run(run.protocol, run.model.model_copy(update={"probe": None}))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
