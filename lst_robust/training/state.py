"""Everything that changes during a training, saved and restored as one file."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypedDict

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, MultiStepLR, OneCycleLR

from lst_robust.errors import CheckpointError, UsageError
from lst_robust.runtime.files import write_output
from lst_robust.suites.recipe import Recipe
from lst_robust.training.identity import Identity

HOW_IT_COMPUTES = ("fused", "foreach", "capturable")  # an optimizer's settings that belong to the machine
LOG_FIELDS = ("epoch", "loss", "train_error", "learning_rate", "images_per_second", "seconds")


class Best(TypedDict):
    """The epoch with the lowest test error in percent so far, and its weights, on the CPU."""

    epoch: int
    test_error: float
    model: dict[str, torch.Tensor]


class ResumeFile(NamedTuple):
    """The file of an interrupted training. identity: a file with another one is refused; None: none is."""

    path: Path
    identity: Identity | None = None


@dataclass
class TrainingState:
    """Model, optimizer, schedule, loss scaling, the log so far (one line an epoch, keys LOG_FIELDS and, where it was
    measured, test_error), and the best epoch where it is wanted."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: LRScheduler
    scaler: torch.amp.GradScaler
    log: list[dict[str, float]] = field(default_factory=list)
    best: Best | None = None

    @classmethod
    def create(
        cls,
        model: nn.Module,
        recipe: Recipe,
        steps_per_epoch: int,
        total_steps: int,
        device: torch.device,
        dtype: torch.dtype | None = None,
    ) -> TrainingState:
        """The state before the first step. dtype: of autocast, None for full precision."""
        optimizer = _optimizer(model, recipe, device)
        scheduler: LRScheduler
        if recipe.schedule == "one_cycle":
            scheduler = OneCycleLR(optimizer, max_lr=recipe.lr, total_steps=total_steps, cycle_momentum=False)
        else:
            milestones = [epoch * steps_per_epoch for epoch in recipe.milestones]
            scheduler = MultiStepLR(optimizer, milestones, gamma=recipe.gamma)
        scaler = torch.amp.GradScaler(device.type, enabled=dtype is torch.float16)  # bf16 has the range of float32
        return cls(model, optimizer, scheduler, scaler)

    def backward(self, loss: torch.Tensor) -> None:
        """Adds the gradients of a scalar loss."""
        self.scaler.scale(loss).backward()

    def step(self) -> None:
        """One update of the weights by the gradients, which are then gone."""
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scheduler.step()
        self.optimizer.zero_grad(set_to_none=True)

    def save(self, file: ResumeFile) -> None:
        """Writes everything, with the fields of the identity, into one file, atomically."""
        buffer = io.BytesIO()
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        fields = None if file.identity is None else file.identity.fields
        torch.save(parts | {"log": self.log, "best": self.best, "identity": fields}, buffer)
        write_output(file.path, buffer.getvalue())

    def restore(self, file: ResumeFile) -> None:
        """Reads what `save` wrote. Raises CheckpointError when the file is damaged, of another model, or of another
        training."""
        path, identity = file
        try:
            saved = torch.load(path, map_location="cpu", weights_only=True)
            if identity is not None:
                identity.require_same(saved.get("identity"), path)
            for group, own in zip(saved["optimizer"]["param_groups"], self.optimizer.param_groups, strict=True):
                group.update({key: own[key] for key in HOW_IT_COMPUTES if key in own})
            for name, part in self._parts().items():
                if name != "scaler" or saved[name]:  # a training in bf16 or full precision has left none
                    part.load_state_dict(saved[name])
            self.log, self.best = saved["log"], saved.get("best")
        except CheckpointError:
            raise
        except Exception as error:  # torch raises many kinds for a damaged file
            raise CheckpointError(
                f"{path}: this interrupted training cannot be resumed; delete the file to start over"
            ) from error

    def log_csv(self) -> str:
        """The log as CSV text with a header."""
        text = io.StringIO()
        tested = any("test_error" in line for line in self.log)
        fields = (*LOG_FIELDS, "test_error") if tested else LOG_FIELDS
        writer = csv.DictWriter(text, fieldnames=fields, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: f"{value:.6g}" for key, value in line.items()} for line in self.log)
        return text.getvalue()

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer | LRScheduler | torch.amp.GradScaler]:
        return {
            "model": self.model,
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
            "scaler": self.scaler,
        }


def _optimizer(model: nn.Module, recipe: Recipe, device: torch.device) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise UsageError("the network has no weights to train: give another model")
    fused = True if one_kernel(device) else None
    decay = recipe.weight_decay
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=recipe.lr, weight_decay=decay, fused=fused)
    return torch.optim.SGD(parameters, lr=recipe.lr, momentum=recipe.momentum, weight_decay=decay, fused=fused)


def one_kernel(device: torch.device) -> bool:
    """Whether the optimizer updates all weights in one kernel. It also takes loss scaling's word, that a step is to be
    left out, on the device; other optimizers wait for it on the host."""
    return device.type == "cuda"
