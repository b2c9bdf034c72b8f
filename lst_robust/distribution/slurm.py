"""Slurm as an executor, through submitit: https://github.com/facebookincubator/submitit. Beside slurm_requeue.py the
only module that imports it.

A job that is preempted, or that comes to the end of its time, is put back into Slurm's queue with the same task, which
then measures only what is missing: it loses the cell in hand, and no more.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from lst_robust.distribution.driver import TaskFuture
from lst_robust.distribution.slurm_jobs import files_of, is_slurm, line_that_names_the_node, node_of, settle
from lst_robust.distribution.slurm_options import parameters_of
from lst_robust.distribution.slurm_requeue import Requeued
from lst_robust.errors import LstRobustError, UsageError, message_of
from lst_robust.runtime.interruption import check_interrupted

if TYPE_CHECKING:
    import submitit

logger = logging.getLogger(__name__)
POLL = 1.0  # seconds between two looks for results
QUEUE = 20.0  # seconds between two looks whether the jobs are still in Slurm's queue
ANSWER = 60.0  # seconds in which squeue must answer
AVOID = 600.0  # seconds for which a job that waits avoids the nodes where its task has failed
BUSY = (1.0, 4.0, 15.0, 60.0)  # seconds before sbatch is called again, where it fails after it has worked
TIMEOUTS = 100  # times that a job whose time is over goes on
MOST_AT_A_TIME = 1000  # jobs of an array: Slurm's own limit, MaxArraySize, is 1001 unless a site has changed it


class _Avoids(NamedTuple):
    """Of a job: until when (time.monotonic) it leaves out nodes, and those that the user leaves out in any case."""

    until: float
    own: str


class SubmititExecutor:
    """An executor of submitit with futures that call back. A thread looks for results.

    A job of Slurm has ended when the file with its result is there, or when it has left the queue without one. Submitit
    itself asks sacct, which knows nothing where a cluster keeps no accounts.

    executor: submitit's, with its parameters; many tasks become an array of jobs. Its `slurm_array_parallelism` says
    how many of them run at a time.
    """

    def __init__(self, executor: submitit.Executor) -> None:
        self._executor = executor
        self.queue = MOST_AT_A_TIME if _has_queue(executor) else None
        self._on_slurm = getattr(executor, "cluster", "") == "slurm" or type(executor).__name__ == "SlurmExecutor"
        self._jobs: dict[TaskFuture, submitit.Job[Any]] = {}
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._missed: set[str] = set()  # jobs that were not in the queue the last time
        self._avoiding: dict[str, _Avoids] = {}  # jobs that leave out more nodes than the user does
        self._warned = False  # that squeue does not answer
        self._accepted = False  # whether Slurm has taken a task
        self._thread = threading.Thread(target=self._watch, name="submitit", daemon=True)
        self._thread.start()

    @property
    def at_once(self) -> int | None:
        """How many jobs Slurm runs at a time, where the executor's parameters say it."""
        return self._executor.parameters.get("array_parallelism") if self._on_slurm else None

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        return self._futures([self._submitted(lambda: self._executor.submit(Requeued(), function, *arguments))])[0]

    def submit_many(self, function: Callable[..., Any], arguments: Sequence[Any]) -> Sequence[Future[Any]]:
        """One call for each argument."""
        if len(arguments) == 1:
            return [self.submit(function, arguments[0])]

        def submit() -> list[submitit.Job[Any]]:
            with self._executor.batch():
                return [self._executor.submit(Requeued(), function, argument) for argument in arguments]

        return self._futures(self._submitted(submit))

    def submit_elsewhere(self, function: Callable[..., Any], argument: Any, nodes: Sequence[str]) -> Future[Any]:
        """On another node than these. Where Slurm has no other one, on any."""
        exclude = self._exclude(nodes)
        if exclude is not None:
            try:
                with self._parameters(setup=self._setup(), exclude=exclude):
                    job = self._executor.submit(Requeued(), function, argument)
            except (OSError, subprocess.CalledProcessError, RuntimeError) as error:
                logger.warning(
                    "Slurm does not leave out %s (%s): the task may run there", ", ".join(nodes), message_of(error)
                )
            else:
                own = str(self._executor.parameters.get("exclude") or "")
                self._avoiding[job.job_id] = _Avoids(time.monotonic() + AVOID, own)
                return self._futures([job])[0]
        return self.submit(function, argument)

    def cancel(self, futures: Sequence[Future[Any]]) -> None:
        """Takes the jobs out of the queue, and ends those that run."""
        with self._lock:
            jobs = [self._jobs[future] for future in futures if future in self._jobs]
        in_slurm = [job.job_id for job in jobs if is_slurm(job)]
        if in_slurm:  # one call, because the process may end in seconds
            subprocess.run(["scancel", *in_slurm], check=False)
        for job in jobs:
            if not is_slurm(job):
                job.cancel(check=False)

    def shutdown(self, wait: bool = True) -> None:
        self._closed.set()
        if wait:
            self._thread.join()

    def __enter__(self) -> SubmititExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def _submitted(self, submit: Callable[[], Any]) -> Any:
        """What submit() gives. A scheduler that has taken jobs before may be busy: it is asked again."""
        pauses = iter(BUSY if self._accepted else ())
        while True:
            try:
                with self._parameters(setup=self._setup()):
                    submitted = submit()
            except (OSError, subprocess.CalledProcessError, RuntimeError) as error:
                pause = next(pauses, None)
                if pause is None:
                    raise LstRobustError(
                        f"Slurm has not taken the tasks ({message_of(error)}): correct the options --slurm, or look "
                        "whether sbatch works here, and call again; what was finished is kept"
                    ) from error
                logger.warning("Slurm has not taken tasks (%s): it is tried again in %g s", message_of(error), pause)
                _wait(pause)
            else:
                self._accepted = True
                return submitted

    @contextmanager
    def _parameters(self, **values: Any) -> Iterator[None]:
        """The executor's own, with these for a while; None leaves one as it is."""
        parameters = getattr(self._executor, "parameters", {})
        changed = {name: value for name, value in values.items() if value is not None}
        before = {name: parameters[name] for name in changed if name in parameters}
        parameters.update(changed)
        try:
            yield
        finally:
            for name in changed:
                del parameters[name]
            parameters.update(before)

    def _setup(self) -> list[str] | None:
        """The lines of a job's script before Python."""
        if not self._on_slurm:
            return None
        return [line_that_names_the_node(self._executor.folder), *(self._executor.parameters.get("setup") or [])]

    def _exclude(self, nodes: Sequence[str]) -> str | None:
        """The option of sbatch that leaves out these nodes, and those that the user leaves out; None where it would
        not fit to other options."""
        given = self._executor.parameters if self._on_slurm else {}
        own, others = given.get("exclude"), given.get("additional_parameters") or {}
        in_a_file = own is not None and "/" in str(own)
        if not self._on_slurm or given.get("nodelist") or in_a_file or {"nodelist", "exclude", "w", "x"} & set(others):
            return None
        return ",".join([*([] if own is None else [str(own)]), *nodes])

    def _futures(self, jobs: Sequence[submitit.Job[Any]]) -> list[TaskFuture]:
        futures = [TaskFuture() for _ in jobs]
        for future in futures:
            future.set_running_or_notify_cancel()
        with self._lock:
            self._jobs.update(zip(futures, jobs, strict=True))
        return futures

    def _watch(self) -> None:
        rounds = 0
        while not self._closed.wait(POLL):
            rounds += 1
            try:
                self._look(ask_queue=rounds % max(int(QUEUE / POLL), 1) == 0)
            except Exception as error:  # of the file system, say: the next look may see more
                logger.warning("the results of jobs cannot be looked for (%s); it is tried again", message_of(error))

    def _look(self, *, ask_queue: bool) -> None:
        """Settles the futures of all jobs that have ended."""
        with self._lock:
            jobs = dict(self._jobs)
        gone = self._gone(jobs.values()) if ask_queue else set()  # before the files: a job that has gone left its own
        if ask_queue:
            self._let_go(time.monotonic())
        files = files_of(jobs.values())
        for future, job in jobs.items():
            if self._closed.is_set():
                return
            if not is_slurm(job):
                ended = has_result = job.done()
            else:
                has_result = job.paths.result_pickle.name in files
                ended = has_result or job.job_id in gone
            if ended:
                future.node = node_of(job)
                with self._lock:
                    del self._jobs[future]
                settle(future, job, has_result=has_result)

    def _let_go(self, now: float) -> None:
        """Jobs that have avoided nodes for long may run there, where they still wait: the other nodes may be gone."""
        for job, avoids in list(self._avoiding.items()):  # to which the other thread may add
            if now < avoids.until:
                continue
            del self._avoiding[job]
            command = ["scontrol", "update", f"JobId={job}", f"ExcNodeList={avoids.own}"]
            with suppress(OSError, subprocess.SubprocessError):  # else it waits on
                subprocess.run(command, check=False, capture_output=True, timeout=ANSWER)

    def _gone(self, jobs: Iterable[submitit.Job[Any]]) -> set[str]:
        """Jobs of Slurm that were not in its queue twice: the file of a result may be seen here some seconds late."""
        ids = {job.job_id for job in jobs if is_slurm(job)}
        if not ids:
            return set()
        # With --all also those in hidden partitions, and without what the user's own variables leave out.
        command = ["squeue", "--all", f"--user={os.getuid()}", "--noheader", "--array", "--format", "%i"]
        variables = {name: value for name, value in os.environ.items() if not name.startswith("SQUEUE_")}
        try:
            said = subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=ANSWER, env=variables
            ).stdout
        except (OSError, subprocess.SubprocessError) as error:
            if not self._warned:
                logger.warning("squeue does not answer (%s): jobs that died are noticed when it does", error)
            self._warned = True
            return set()
        self._warned = False
        missed, self._missed = self._missed, ids - set(said.split())
        return missed & self._missed


def require_slurm() -> Any:
    """The package submitit; UsageError where it is not installed, and where there is no Slurm."""
    try:
        import submitit
    except ImportError as error:
        raise UsageError("submitit is not installed: pip install 'lst-robust[slurm]'") from error
    _leave_stdout()
    if shutil.which("sbatch") is None:
        raise UsageError("there is no Slurm here (no sbatch): call this where jobs are submitted, or with --on local")
    return submitit


def slurm_executor(
    folder: Path, at_once: int, gpus: int = 0, options: Mapping[str, str] | None = None
) -> SubmititExecutor:
    """Jobs on this cluster. folder: where all nodes see it; each call has one of its own there for submitit's files and
    the jobs' logs. at_once: jobs that run at a time; gpus: of each. options: see `parameters_of`.

    Raises UsageError when submitit is not installed, when there is no Slurm, and for options that cannot be meant.
    """
    submitit = require_slurm()
    # Not one for each job: all of them would be asked each second.
    of_call = folder / f"{time.strftime('%Y-%m-%d-%H%M%S')}-{uuid4().hex[:8]}"
    executor = submitit.AutoExecutor(of_call, cluster="slurm", slurm_max_num_timeout=TIMEOUTS)
    executor.update_parameters(name="lst-robust", slurm_array_parallelism=at_once)
    if gpus:
        executor.update_parameters(gpus_per_node=gpus)
    known, others = parameters_of(options or {})
    for name, value in known.items():
        try:
            executor.update_parameters(**{f"slurm_{name}": value})
        except NameError:  # submitit does not know it
            others[name.replace("_", "-")] = value
        except (AssertionError, TypeError, ValueError) as error:
            raise UsageError(
                f"--slurm {name}={value} is refused ({message_of(error)}): give a value that sbatch takes"
            ) from error
    executor.update_parameters(slurm_additional_parameters=others)
    return SubmititExecutor(executor)


def _wait(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        check_interrupted()
        time.sleep(min(0.2, seconds))


def _has_queue(executor: submitit.Executor) -> bool:
    """Whether it takes more jobs than run. submitit's own processes on this machine start at once."""
    on_this_machine = {"local", "debug", "LocalExecutor", "DebugExecutor"}
    return on_this_machine.isdisjoint({getattr(executor, "cluster", ""), type(executor).__name__})


def _leave_stdout() -> None:
    """Submitit's messages go to stderr only, where it writes warnings anyway: on stdout are the results."""
    submitits = logging.getLogger("submitit")
    for handler in list(submitits.handlers):
        if handler.name == "submitit_out" or getattr(handler, "stream", None) in (sys.stdout, sys.__stdout__):
            submitits.removeHandler(handler)
