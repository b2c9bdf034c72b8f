"""All that changes in a training, as one file; and the log."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lst_robust.errors import CheckpointError, UsageError
from lst_robust.suites import Augmentation, Recipe
from lst_robust.training import state as state_module
from lst_robust.training.identity import Identity
from lst_robust.training.state import ResumeFile, TrainingState

RECIPE = Recipe(epochs=2, batch_size=4, optimizer="adamw", lr=0.1, weight_decay=0.01, augmentation=Augmentation())
CPU = torch.device("cpu")


def begun(seed: int, recipe: Recipe = RECIPE, dtype: torch.dtype | None = None) -> TrainingState:
    torch.manual_seed(seed)
    return TrainingState.create(nn.Linear(3, 2), recipe, steps_per_epoch=2, total_steps=4, device=CPU, dtype=dtype)


def step(state: TrainingState) -> None:
    state.backward(state.model(torch.ones(1, 3)).square().sum())
    state.step()


@pytest.mark.parametrize("changes", [{}, {"schedule": "multistep", "milestones": (1,), "optimizer": "sgd"}])
def test_restored_it_goes_the_same_way(tmp_path, changes):
    recipe = RECIPE.changed(changes)
    state, other = begun(0, recipe), begun(1, recipe)
    step(state)
    state.log.append({"epoch": 1, "loss": 0.5})
    state.best = {"epoch": 1, "test_error": 10.0, "model": {"weight": torch.ones(2)}}
    state.save(ResumeFile(tmp_path / "resume"))
    other.restore(ResumeFile(tmp_path / "resume"))
    assert other.log == [{"epoch": 1, "loss": 0.5}] and other.best["epoch"] == 1
    for one in (state, other):
        step(one)
    assert all(torch.equal(a, b) for a, b in zip(state.model.parameters(), other.model.parameters(), strict=True))
    assert state.scheduler.get_last_lr() == other.scheduler.get_last_lr() != [recipe.lr]


@pytest.mark.parametrize("content", [b"", b"PK broken"])
def test_a_damaged_file_says_what_to_do(tmp_path, content):
    (tmp_path / "resume").write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be resumed; delete the file to start over"):
        begun(0).restore(ResumeFile(tmp_path / "resume"))


def test_a_file_of_another_network_is_refused(tmp_path):
    begun(0).save(ResumeFile(tmp_path / "resume"))
    wider = TrainingState.create(nn.Linear(3, 5), RECIPE, steps_per_epoch=2, total_steps=4, device=CPU)
    with pytest.raises(CheckpointError, match="delete the file"):
        wider.restore(ResumeFile(tmp_path / "resume"))


def test_a_file_of_another_training_is_refused_and_nothing_is_restored(tmp_path):
    begun(0).save(ResumeFile(tmp_path / "resume", Identity({"recipe": {"seed": 0}})))
    other = begun(1)
    before = other.model.weight.clone()
    with pytest.raises(CheckpointError, match=r"another one \(recipe\.seed was 0 and is 1 now\)"):
        other.restore(ResumeFile(tmp_path / "resume", Identity({"recipe": {"seed": 1}})))
    assert torch.equal(other.model.weight, before)
    other.restore(ResumeFile(tmp_path / "resume", Identity({"recipe": {"seed": 0}})))
    assert not torch.equal(other.model.weight, before)


def test_a_network_without_weights_cannot_be_trained():
    with pytest.raises(UsageError, match="no weights to train"):
        TrainingState.create(nn.ReLU(), RECIPE, steps_per_epoch=2, total_steps=4, device=CPU)


def test_the_log_has_a_column_of_test_errors_where_there_are_some():
    state = begun(0)
    line = {"epoch": 1, "loss": 1 / 3, "train_error": 50.0, "learning_rate": 0.1, "images_per_second": 9, "seconds": 2}
    state.log = [line, line | {"epoch": 2}]
    head = "epoch,loss,train_error,learning_rate,images_per_second,seconds"
    assert state.log_csv() == f"{head}\n1,0.333333,50,0.1,9,2\n2,0.333333,50,0.1,9,2\n"
    state.log[1]["test_error"] = 25.0
    assert state.log_csv() == f"{head},test_error\n1,0.333333,50,0.1,9,2,\n2,0.333333,50,0.1,9,2,25\n"


@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.float16])
def test_fp16_alone_scales_the_loss(dtype):
    assert begun(0, dtype=dtype).scaler.is_enabled() == (dtype is torch.float16)


@pytest.mark.parametrize("before", [None, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("after", [None, torch.bfloat16, torch.float16])
def test_a_training_may_go_on_in_another_precision(tmp_path, before, after):
    state, other = begun(0, dtype=before), begun(1, dtype=after)
    step(state)
    if before is torch.float16:
        state.scaler.update(1024.0)
    state.save(ResumeFile(tmp_path / "resume"))
    other.restore(ResumeFile(tmp_path / "resume"))
    assert torch.equal(other.model.weight, state.model.weight)
    if after is torch.float16:
        assert other.scaler.get_scale() == (1024.0 if before is torch.float16 else 2.0**16)
    step(other)


@pytest.fixture
def fused(monkeypatch):
    """fused(yes): whether states that are created from now on update all weights in one kernel, as on CUDA."""
    return lambda yes: monkeypatch.setattr(state_module, "one_kernel", lambda device: yes)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("before", [True, False])
def test_a_training_may_go_on_on_another_kind_of_device(tmp_path, fused, optimizer, before):
    recipe = RECIPE.changed({"optimizer": optimizer})
    fused(before)
    state = begun(0, recipe)
    step(state)
    state.save(ResumeFile(tmp_path / "resume"))
    fused(not before)
    other = begun(1, recipe)
    other.restore(ResumeFile(tmp_path / "resume"))
    assert other.optimizer.param_groups[0]["fused"] is (None if before else True)
    for one in (state, other):
        step(one)
    torch.testing.assert_close(other.model.weight, state.model.weight)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_step_that_overflows_is_left_out_without_asking_the_host(monkeypatch, fused, optimizer):
    """The optimizers of one kernel take the word of the loss scaling on the device."""
    fused(True)
    state = begun(0, RECIPE.changed({"optimizer": optimizer}), torch.float16)
    step(state)
    before, scale = state.model.weight.clone(), state.scaler.get_scale()
    state.backward(state.model(torch.full((1, 3), 1e38)).square().sum())
    with monkeypatch.context() as patched:
        patched.setattr(torch.Tensor, "item", None)
        state.step()
    assert torch.equal(state.model.weight, before) and state.scaler.get_scale() == scale / 2
    assert state.model.weight.isfinite().all()


def test_the_cpu_updates_weights_as_before():
    assert state_module.one_kernel(torch.device("cuda")) and not state_module.one_kernel(CPU)
    assert begun(0).optimizer.param_groups[0]["fused"] is None
