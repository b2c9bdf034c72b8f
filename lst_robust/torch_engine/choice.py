"""Which engine corrupts the images: the CPU's or torch's, which is decided by a measurement on this machine.

Nothing here imports torch before a CUDA device is asked for, so that whoever takes the CPU's engine does not wait for
it.
"""

from __future__ import annotations

import hashlib
import logging
import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lst_robust.errors import DataError
from lst_robust.runtime.cache import cache_root
from lst_robust.runtime.cores import available_cores
from lst_robust.runtime.files import write_output

if TYPE_CHECKING:
    from torch import device as Device

logger = logging.getLogger(__name__)

ENGINES = ("auto", "cpu", "torch")
EngineName = Literal["cpu", "torch"]
Speeds = dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]]
"""Of each corruption: images a second."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Machine(_Strict):
    """What decides how fast the two engines are. device: its name; cores: those this process may use; size: of the
    square images, in pixels."""

    device: str
    cores: int
    cpu_engine: str
    torch_engine: str
    torch: str
    size: int
    preset: str

    @classmethod
    def here(cls, device: Device, size: int, preset: str) -> Machine:
        import torch

        from lst_robust.corruptions import ENGINE_VERSION as CPU_VERSION
        from lst_robust.runtime.devices import device_name
        from lst_robust.torch_engine.engine import ENGINE_VERSION

        return cls(
            device=device_name(device),
            cores=available_cores(),
            cpu_engine=CPU_VERSION,
            torch_engine=ENGINE_VERSION,
            torch=torch.__version__,
            size=size,
            preset=preset,
        )

    @property
    def command(self) -> str:
        """What measures it here, for a message."""
        return f"`lst-robust engines --size {self.size} --preset {self.preset}`"

    @property
    def file(self) -> Path:
        """Where the measurement is kept."""
        return _folder() / f"{hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]}.json"


class Measurement(_Strict):
    """How many images a second each engine makes of each corruption, see `lst_robust.torch_engine.speed`."""

    machine: Machine
    cpu: Speeds = Field(min_length=1)
    torch: Speeds = Field(min_length=1)

    def milliseconds(self, engine: EngineName) -> float:
        """That one image of every corruption takes, all together."""
        return sum(1000 / speed for speed in self.speeds(engine).values())

    def geometric_mean(self, engine: EngineName) -> float:
        """Images a second."""
        speeds = self.speeds(engine).values()
        return math.exp(sum(map(math.log, speeds)) / len(speeds))

    def speeds(self, engine: EngineName) -> Speeds:
        return self.cpu if engine == "cpu" else self.torch

    @property
    def faster(self) -> EngineName:
        """The engine that needs less time for all corruptions."""
        return "torch" if self.milliseconds("torch") < self.milliseconds("cpu") else "cpu"


def keep(measurement: Measurement) -> None:
    """Writes a measurement into the cache's folder. DataError where that cannot be written."""
    file = measurement.machine.file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{file.parent} cannot be made ({error.strerror}): set LST_ROBUST_CACHE_DIR") from error
    write_output(file, (measurement.model_dump_json(indent=2) + "\n").encode())


def kept(machine: Machine) -> Measurement | None:
    """The measurement of such a machine. A warning names a file that cannot be used."""
    try:
        found = Measurement.model_validate_json(machine.file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is damaged"
        remove = "remove it, and " if machine.file.is_dir() else ""
        _warn_once(f"{machine.file} is left out ({reason}): {remove}measure again with {machine.command}")
        return None
    return found if found.machine == machine and set(found.cpu) == set(found.torch) else None


def is_any_kept() -> bool:
    """Whether something was measured on any machine that uses this cache: if not, `auto` need not ask for devices."""
    try:
        return any(_folder().iterdir())
    except OSError:
        return False


def resolve_engine(name: str, device: Device, size: int, preset: str) -> EngineName:
    """ "auto" is torch's engine where the device is CUDA and a measurement says that it is faster there, else the
    CPU's. On a CUDA device the log says which, and why, once."""
    if name != "auto":
        return "torch" if name == "torch" else "cpu"
    if device.type != "cuda":
        return "cpu"
    machine = Machine.here(device, size, preset)
    found = kept(machine)
    command = machine.command
    if found is None:
        _say_once(
            f"the CPU's engine corrupts the images: {command} has not measured yet whether {machine.device} is faster "
            "(--engine torch takes it unmeasured; --engine cpu stays with the CPU's, after a measurement, too)"
        )
        return "cpu"
    which = "torch's engine" if found.faster == "torch" else "the CPU's engine"
    times = f"{found.milliseconds('torch'):.3g} ms on {machine.device}, {found.milliseconds('cpu'):.3g} ms on the CPU"
    _say_once(
        f"{which} corrupts the images: {command} has measured {times}, for one image of each corruption (--engine cpu "
        "stays with the CPU's, and --engine torch with torch's)"
    )
    return found.faster


def _folder() -> Path:
    return cache_root() / "engines"


@lru_cache(maxsize=256)
def _say_once(line: str) -> None:
    logger.info("%s", line)


@lru_cache(maxsize=256)
def _warn_once(line: str) -> None:
    logger.warning("%s", line)
