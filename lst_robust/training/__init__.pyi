from .trained import Training, checkpoints_folder, ensure_trained, find_checkpoint, plan_training

__all__ = ["Training", "checkpoints_folder", "ensure_trained", "find_checkpoint", "plan_training"]
