from .planned import Training, plan_training
from .trained import checkpoints_folder, ensure_trained, find_checkpoint

__all__ = ["Training", "checkpoints_folder", "ensure_trained", "find_checkpoint", "plan_training"]
