"""The way of an evaluation: requests, weights for their models, plans of what is missing, the measurement."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn
from typing_extensions import Unpack

from lst_robust.analysis.evaluation import Evaluation, Evaluations, FailedNetwork
from lst_robust.arguments import instance
from lst_robust.data.classes import require_same_classes
from lst_robust.errors import CheckpointError, DataError, DeviceError, NothingToEvaluateError, UsageError, reason_of
from lst_robust.evaluation.cell_images import open_cell_images
from lst_robust.evaluation.choice import requests_of
from lst_robust.evaluation.group import NetworkGroup
from lst_robust.evaluation.options import EvalOptions
from lst_robust.evaluation.own_geometry import own_geometry
from lst_robust.evaluation.plan import plan_of
from lst_robust.evaluation.request import EvalRequest, checked_requests
from lst_robust.records.store import Store
from lst_robust.runtime.process_group import Ranks, process_group
from lst_robust.runtime.resources import Resources
from lst_robust.suites import Suite
from lst_robust.training.planned import plan_training, require_untrained
from lst_robust.training.trained import checkpoints_folder, ensure_trained, find_checkpoint, require_made_by

logger = logging.getLogger(__name__)


def evaluate(
    model: str | nn.Module, suite: str | Path | Suite = "digits-c", **options: Unpack[EvalOptions]
) -> Evaluation:
    """Measures a model on the clean images and on every wanted cell of a suite, and returns the records.

    Under `torchrun` the ranks share the cells through the results folder, and each returns all records. So do processes
    that evaluate the same on their own at the same time. On a CPU torch's thread count of the process may be 1 while it
    runs.

    Args:
        model: a name (see `model_names`) or a network: float32 (n, 3, H, W), normalised -> logits (n, classes).
        suite: name, YAML file or `Suite`. What is None among the options comes from it.
        options: see `lst_robust.evaluation.options.EvalOptions`.

    Raises:
        UsageError: an argument that cannot be meant; raised before any work.
        DataError: images that are missing, damaged or not those of an earlier part of the run.
        CheckpointError: weights that are missing, unsafe or do not fit.
        NothingToEvaluateError: no cell, or no image, is left to measure.
    """
    return run_request(EvalRequest.of(model, suite, **options))


def evaluate_many(
    models: Sequence[str | nn.Module], suite: str | Path | Suite = "digits-c", **options: Unpack[EvalOptions]
) -> Evaluations:
    """`evaluate` for many networks: each image is loaded and corrupted once for all that share its size.

    The records are those that `evaluate` makes of one network after the other, but for the times in their provenance.
    A network that cannot go on is named in `failed`, and the others go on.

    Args:
        models: names, patterns of names, files of names, or networks; see `requests_of`.
        suite: as of `evaluate`.
        options: as of `evaluate`, without `checkpoint` and `name`, which belong to one network.

    Raises what `evaluate` raises, for whatever concerns all networks.
    """
    return _run(requests_of(models, suite, **options))


def run_request(request: EvalRequest) -> Evaluation:
    """`evaluate`, of a request that has been checked."""
    instance("request", request, EvalRequest, "make one with lst_robust.requests_of or EvalRequest.of")
    evaluation = _run([request]).evaluations[0]
    return replace(evaluation, records=dict(evaluation.records))  # a single network's fit into memory


def run_requests(requests: Sequence[EvalRequest]) -> Evaluations:
    """`evaluate_many`, of requests that have been checked and differ in nothing but the network.

    A single network raises its error. Under torchrun so does one of several that cannot be prepared, because all ranks
    must measure the same networks. UsageError where they differ in more.
    """
    return _run(checked_requests(requests))


def _run(requests: Sequence[EvalRequest]) -> Evaluations:
    Store(requests[0].results_dir).check_writable()  # before any work is done
    waiting, found, failed = deque(requests), dict[str, Evaluation](), list[FailedNetwork]()
    with process_group() as ranks:
        going_on = len(requests) > 1 and ranks.world == 1
        if going_on:  # what is wrong with the images is said once, and not of each network
            open_cell_images(replace(requests[0], preprocess="suite", skip_unreadable=False))
        while waiting:
            group = NetworkGroup(going_on=len(requests) > 1)
            while waiting and not group.is_full:
                request = waiting.popleft()
                try:
                    _plan_in(group, request, found, ranks)
                except (DataError, NothingToEvaluateError, DeviceError):  # of images and device, which all share
                    raise
                except Exception as error:  # a network's own code: anything can happen in it
                    if not going_on:
                        raise
                    failed.append(FailedNetwork(request.label, reason_of(error)))
                    logger.warning("%s; it is left out, and the others go on", failed[-1].line)
            for run, outcome in group.measure():
                digest = run.digest
                found[digest] = replace(
                    found[digest], records=outcome.records, measured=outcome.measured, failed=outcome.failed
                )
                if outcome.stopped is not None:
                    failed.append(FailedNetwork(run.model.name, outcome.stopped))
                    if not outcome.records:
                        del found[digest]
    return Evaluations(tuple(found.values()), tuple(failed))


def _plan_in(group: NetworkGroup, request: EvalRequest, found: dict[str, Evaluation], ranks: Ranks) -> None:
    """Makes the plan of a network for the group, and a place for its evaluation. UsageError where it has one."""
    weighted = with_weights(request)
    planned = plan_of(weighted, group.prepare(weighted), ranks)
    run = planned.run
    if run.digest in found:
        raise UsageError(f"it is the same network as {found[run.digest].run.model.name}: name each network once")
    group.add(planned)
    found[run.digest] = Evaluation(run, {}, request.normaliser, skipped_images=planned.skipped_images)


def with_weights(request: EvalRequest) -> EvalRequest:
    """The request with a checkpoint, where its model has no weights yet: of an earlier training on the suite, else it
    is trained now, unless `train` is False (then CheckpointError says how to get it). Under torchrun all ranks call
    this."""
    if isinstance(request.model, nn.Module) or request.has_weights:
        return request
    suite, recipe = request.suite, request.suite.training
    clean = open_cell_images(request, own_geometry(request)).clean  # no training before the test images are there
    if recipe is not None and request.train_seed is not None:
        recipe = recipe.changed({"seed": request.train_seed})
    training = plan_training(
        request.model,
        suite,
        options=request.model_options,
        recipe=recipe,
        data_dir=request.data_dir,
        skip_unreadable=request.skip_unreadable,
    )
    require_same_classes(training.source, clean)
    checkpoint = find_checkpoint(training, checkpoints_folder(request.results_dir, suite))
    with process_group() as ranks:  # a process that is not among them may just have trained it
        trained = ranks.gather(checkpoint.is_file())[0]
        if trained and ranks.leader:
            require_made_by(training, checkpoint, "take it as it is with --checkpoint")
    if not trained and not request.train:
        raise CheckpointError(
            f"{request.model} has no checkpoint trained for suite {suite.name!r} in {checkpoint.parent}: give one with "
            "--checkpoint, or let it be trained with --train"
        )
    if not trained:
        require_untrained(training)
        logger.info(
            "%s has no checkpoint for %s yet: training it first (%d images, %d epochs, once)",
            request.model,
            suite.name,
            len(training.source),
            training.recipe.epochs,
        )
        ensure_trained(training, checkpoint, Resources(request.device, request.workers, request.observer))
    return replace(request, checkpoint=checkpoint)
