"""Networks by name: every row of the paper's tables, and the models they are compared with.

`create_model("lst18", num_classes=10, image_size=32)`; names: `model_names()`. Importing a family registers it.
"""

from lst_robust.models import alexnet, cifar_resnet, mobilenet, resnet, shift, vgg, wide_resnet  # noqa: F401 (registers)
from lst_robust.models.checkpoint import (
    checkpoint_sha256,
    load_checkpoint,
    read_checkpoint,
    save_checkpoint,
)
from lst_robust.models.convert import convert_checkpoint
from lst_robust.models.entry import ModelConfig
from lst_robust.models.factory import (
    canonical_options,
    create_model,
    fitting_options,
    require_no_checkpoint,
    require_options,
    without_image_size,
)
from lst_robust.models.lst import kernels, networks  # noqa: F401 (register)
from lst_robust.models.optimize import optimize_for_inference
from lst_robust.models.profile import describe_models
from lst_robust.models.registry import model_info, model_names

__all__ = [
    "ModelConfig",
    "canonical_options",
    "checkpoint_sha256",
    "convert_checkpoint",
    "create_model",
    "describe_models",
    "fitting_options",
    "load_checkpoint",
    "model_info",
    "model_names",
    "optimize_for_inference",
    "read_checkpoint",
    "require_no_checkpoint",
    "require_options",
    "save_checkpoint",
    "without_image_size",
]
