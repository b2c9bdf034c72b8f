"""A network as it is measured: a copy in evaluation mode on its device, and on a CPU in a faster form."""

from __future__ import annotations

import copy
import logging

import numpy as np
import torch
from torch import nn

from lst_robust.errors import UsageError, reason_of
from lst_robust.evaluation.identity.probe import probe_images, same_answers
from lst_robust.evaluation.model_under_test import ModelUnderTest
from lst_robust.models.optimize import optimize_for_inference
from lst_robust.models.preprocess import Preprocess
from lst_robust.runtime.devices import device_errors
from lst_robust.suites import PixelStatistics

logger = logging.getLogger(__name__)


def ready_network(found: ModelUnderTest, device: torch.device, pixels: PixelStatistics, image_size: int) -> nn.Module:
    """The caller's network stays as it is. pixels, image_size: of the images that it will get.

    Raises UsageError where it cannot be copied or moved.
    """
    try:
        copied = _fast(found, pixels, image_size) if device.type == "cpu" else _plain(found.model)
        with device_errors(device):
            return copied.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    except torch.cuda.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        raise UsageError(
            f"the network cannot be copied to {device} ({reason_of(error)}): give it weights, "
            "and detach the tensors that it keeps"
        ) from error


def _plain(model: nn.Module) -> nn.Module:
    return copy.deepcopy(model).eval()


def _fast(found: ModelUnderTest, pixels: PixelStatistics, image_size: int) -> nn.Module:
    """With BNs folded into convolutions, where the network then still gives the same answers. Nobody knows how
    another's code calls its layers."""
    fast = optimize_for_inference(found.model)
    if _batch_norms(fast) == _batch_norms(found.model):
        return fast
    images = Preprocess(pixels.mean, pixels.std, torch.device("cpu"))(probe_images(image_size))
    try:
        with torch.no_grad():
            answers, wanted = (np.asarray(network(images)) for network in (fast, _plain(found.model)))
    except Exception:  # of the network's own code, or no tensor: whoever asks it next says what is wrong
        return fast
    if same_answers(wanted, answers):
        return fast
    logger.info("%s is measured without folded BNs: with them it gives other answers", found.identity.name)
    return _plain(found.model)


def _batch_norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())
