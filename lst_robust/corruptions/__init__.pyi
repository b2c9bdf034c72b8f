from .base import Corruption, no_draws
from .engine import ENGINE, ENGINE_VERSION, corrupt
from .own import corruption_digest, register_corruption
from .registry import constants, corruption_named, corruption_names
from .streams import Streams

__all__ = [
    "ENGINE",
    "ENGINE_VERSION",
    "Corruption",
    "Streams",
    "constants",
    "corrupt",
    "corruption_digest",
    "corruption_named",
    "corruption_names",
    "no_draws",
    "register_corruption",
]
