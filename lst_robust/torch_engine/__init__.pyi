from .engine import ENGINE, ENGINE_VERSION, TensorCorruptor, corrupt_tensor
from .streams import TensorStreams

__all__ = ["ENGINE", "ENGINE_VERSION", "TensorCorruptor", "TensorStreams", "corrupt_tensor"]
