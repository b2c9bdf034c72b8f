"""An evaluation as tasks on any executor."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from lst_robust.analysis.evaluation import Evaluations
from lst_robust.arguments import instance, items, optional, text, whole_number
from lst_robust.distribution.driver import Driver, queue_of
from lst_robust.distribution.local import LocalExecutor, share_of_cores
from lst_robust.distribution.outcome import Outcome
from lst_robust.distribution.planning import Given, Workers, planned_networks, request_of, tasks_of
from lst_robust.distribution.schedule import RETRIES, Schedule
from lst_robust.distribution.slurm import SubmititExecutor
from lst_robust.distribution.split import BEGINNING
from lst_robust.distribution.task import CellsTask, run_task
from lst_robust.errors import LstRobustError, NothingToEvaluateError, UsageError
from lst_robust.evaluation.plan import EvalPlan
from lst_robust.evaluation.request import EvalRequest, require_alike
from lst_robust.records.store import Store
from lst_robust.runtime.rank import rank_and_world

MOST = 100_000  # tasks at a time


def run(
    work: Given | Sequence[Given],
    executor: Any = None,
    *,
    at_once: int = 2,
    device: str | None = None,
    threads: int | None = None,
    retries: int = RETRIES,
) -> Evaluations:
    """`run_requests`, with the cells measured by tasks on an executor. The records are the same.

    The networks are planned here, one after the other: their weights are loaded, or trained, and they answer the probe
    images. The tasks find weights and images again by their paths, so all workers must see the same folders.

    Args:
        work: requests or plans, which differ in nothing but the network.
        executor: one of concurrent.futures, a `submitit.AutoExecutor`, a `RayExecutor`, or any other whose `submit`
            gives futures with `add_done_callback`; it is not shut down. Processes of a `ProcessPoolExecutor` must not
            be forked. Default: processes on this machine.
        at_once: tasks that run at a time. On Slurm through submitit the executor's `slurm_array_parallelism` says it.
        device: of the workers, in place of the requests'; "auto" is what each of them has.
        threads: of each worker, in place of the requests'; 0: one for each core that it has.
        retries: times that a task is submitted again after an error that may be the node's.

    Raises:
        UsageError, DataError, CheckpointError, NothingToEvaluateError: as `evaluate_many`, before any task.
        LstRobustError: the executor takes no more tasks, or all tasks have failed for some minutes; the same call goes
            on from there.
        KeyboardInterrupt: the tasks that are submitted are cancelled; the same call goes on from there.
    """
    if rank_and_world()[1] > 1:
        raise UsageError("one process submits the tasks: call this without torchrun")
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise UsageError(
            "a worker process has imported the script that called lst_robust.run: put that call below "
            '`if __name__ == "__main__":`'
        )
    given = _checked_work(work)
    at_once = whole_number("at_once", at_once, least=1, most=MOST)
    retries = whole_number("retries", retries, least=0)
    threads = optional(whole_number, "threads", threads, least=0)
    device = optional(text, "device", device)
    whose = _adapted(executor, at_once, threads)
    at_once = getattr(whose, "at_once", None) or at_once
    try:
        return _run(given, whose, Workers(at_once, device, threads), retries)
    finally:
        if whose is not executor:
            whose.shutdown(wait=False)


def _run(given: Sequence[Given], executor: Any, workers: Workers, retries: int) -> Evaluations:
    store = Store(request_of(given[0]).results_dir)
    store.check_writable()  # before any work is done
    queue = queue_of(executor)
    planned, failed = planned_networks(given)
    tasks = tasks_of(planned, workers._replace(most=queue, least=BEGINNING) if queue else workers)
    outcome = Outcome([one.plan for one in planned], store, request_of(given[0]).observer, retries=retries)
    if tasks:
        outcome.start(len(tasks))
        schedule = Schedule(tasks, retries)
        driver: Driver[CellsTask] = Driver(
            schedule,
            executor,
            run_task,
            workers.at_once,
            prepare=outcome.left,
            ended=outcome.end,
            tick=outcome.look,
        )
        try:
            driver.run()
        finally:
            request_of(given[0]).observer.finish()
        for task, reason in schedule.failed:
            outcome.fail(task, reason)
    found, stopped = outcome.evaluations()
    if not found and len(given) == 1:
        raise LstRobustError(stopped[0].line)
    return Evaluations(tuple(found), (*failed, *stopped))


def _checked_work(work: Given | Sequence[Given]) -> list[Given]:
    """The networks to measure; UsageError where they are none, or differ in more than the network."""
    given: list[Given] = [work] if isinstance(work, (EvalPlan, EvalRequest)) else items("work", work, empty=True)
    if not given:
        raise NothingToEvaluateError("there is no network to evaluate: give at least one")
    for place, one in enumerate(given):
        name = f"work[{place}]"
        instance(name, one, (EvalPlan, EvalRequest), "give what lst_robust.requests_of or lst_robust.plan makes")
        require_alike(name, request_of(one), request_of(given[0]))
    return given


def _adapted(executor: Any, at_once: int, threads: int | None) -> Any:
    """What the driver can work with."""
    if executor is None:
        if threads is None:
            threads = share_of_cores(at_once)
        return LocalExecutor(at_once, threads=threads or share_of_cores(1))  # 0: all cores for each
    if type(executor).__module__.partition(".")[0] == "submitit":
        return SubmititExecutor(executor)
    if not callable(getattr(executor, "submit", None)):
        raise UsageError(
            f"executor is {type(executor).__name__}, which has no submit: give one of concurrent.futures, or None"
        )
    if isinstance(executor, ProcessPoolExecutor) and _forks(executor):
        raise UsageError(
            "the processes of this ProcessPoolExecutor are forked, and torch's threads do not survive that: give "
            'ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")), or None'
        )
    return executor


def _forks(executor: ProcessPoolExecutor) -> bool:
    """A forked process waits without end for the threads of torch that this process had started, as for those that
    planned the networks."""
    context = getattr(executor, "_mp_context", None) or multiprocessing
    return context.get_start_method() == "fork"
