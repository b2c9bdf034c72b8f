"""A network as it is measured: a copy in evaluation mode on its device, and on a CPU in a faster form."""

from __future__ import annotations

import copy
import logging

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
CPU = torch.device("cpu")


def ready_network(found: ModelUnderTest, device: torch.device, pixels: PixelStatistics, image_size: int) -> nn.Module:
    """The caller's network stays as it is. pixels, image_size: of the images that it will get.

    Raises UsageError where it cannot be copied or moved.
    """
    fast = _folded(found, pixels, image_size) if device.type == "cpu" else None
    try:
        with device_errors(device):
            return _on(device, _plain(found.model) if fast is None else fast)
    except torch.cuda.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        raise UsageError(
            f"the network cannot be copied to {device} ({reason_of(error)}): give it weights, "
            "and detach the tensors that it keeps"
        ) from error


def _folded(found: ModelUnderTest, pixels: PixelStatistics, image_size: int) -> nn.Module | None:
    """The network with BNs folded into convolutions; None where it does not give the same answers then. Nobody knows
    how another's code calls its layers."""
    try:
        fast = _on(CPU, optimize_for_inference(found.model))
        if _batch_norms(fast) == _batch_norms(found.model):
            return fast
        images = Preprocess(pixels.mean, pixels.std, CPU)(probe_images(image_size))
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            answers, wanted = (network(images).float().numpy() for network in (fast, _on(CPU, _plain(found.model))))
        if same_answers(wanted, answers):
            return fast
    except (Exception, SystemExit) as error:  # of the network's own code: whoever asks it next says what is wrong
        logger.debug("BNs cannot be folded: %s", error)
        return None
    logger.info("%s is measured without folded BNs: it does not give the same answers with them", found.identity.name)
    return None


def _plain(model: nn.Module) -> nn.Module:
    return copy.deepcopy(model).eval()


def _on(device: torch.device, network: nn.Module) -> nn.Module:
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def _batch_norms(model: nn.Module) -> int:
    """In all places: one that stands in two is gone from one of them when it is folded."""
    modules = model.named_modules(remove_duplicate=False)
    return sum(isinstance(module, nn.modules.batchnorm._BatchNorm) for _, module in modules)
