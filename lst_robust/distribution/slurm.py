"""Slurm as an executor, through submitit: https://github.com/facebookincubator/submitit. The only module that imports
it.

A job that is preempted, or that comes to the end of its time, is put back into Slurm's queue with the same task, which
then measures only what is missing: it loses the cell in hand, and no more.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from lst_robust.distribution.nodes import Nodes
from lst_robust.distribution.slurm_jobs import SAY_NODE, files_of, is_slurm, node_of, settle
from lst_robust.distribution.slurm_options import parameters_of
from lst_robust.errors import LstRobustError, UsageError, message_of
from lst_robust.runtime.interruption import check_interrupted

if TYPE_CHECKING:
    import submitit

logger = logging.getLogger(__name__)
POLL = 1.0  # seconds between two looks for results
QUEUE = 20.0  # seconds between two looks whether the jobs are still in Slurm's queue
ANSWER = 60.0  # seconds in which squeue must answer
BUSY = (1.0, 4.0, 15.0, 60.0)  # seconds before sbatch is called again, where it fails after it has worked
TIMEOUTS = 100  # times that a job whose time is over goes on
MOST_AT_A_TIME = 1000  # jobs of an array: Slurm's own limit, MaxArraySize, is 1001 unless a site has changed it


class Requeued:
    """Calls a function. submitit's signal handler asks for `checkpoint`: the same call once more."""

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGUSR1, signal.SIGUSR2):
                handler = signal.getsignal(signum)
                if callable(handler) and getattr(handler, "__name__", None) == "checkpoint_and_try_requeue":
                    signal.signal(signum, partial(_leave_at_once, handler))
        return function(*arguments)

    def checkpoint(self, *arguments: Any) -> Any:
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *arguments)


def _leave_at_once(requeue: Callable[[int, FrameType | None], Any], signum: int, frame: FrameType | None) -> None:
    """submitit's handler puts the job back into the queue and raises SystemExit, or another error where Slurm ends
    the job meanwhile. In the midst of a network's code that would look like an error of the network. The process ends
    here: what was measured is in whole files, and a job that leaves no result is submitted again."""
    try:
        requeue(signum, frame)
    except SystemExit:
        pass
    except BaseException:
        traceback.print_exc()
    else:
        return  # it has nothing to do with this process
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(255)


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
        self._jobs: dict[Future[Any], submitit.Job[Any]] = {}
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._missed: set[str] = set()  # jobs that were not in the queue the last time
        self._nodes = Nodes()
        self._ran_on: dict[Future[Any], str | None] = {}  # of jobs that have ended, until `ended` tells how
        self._warned = False  # that squeue does not answer
        self._accepted = False  # whether Slurm has taken a task
        self._thread = threading.Thread(target=self._watch, name="submitit", daemon=True)
        self._thread.start()

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        return self._futures([self._submitted(lambda: self._executor.submit(Requeued(), function, *arguments))])[0]

    def submit_many(self, function: Callable[..., Any], arguments: Sequence[Any]) -> list[Future[Any]]:
        """One call for each argument."""
        if len(arguments) == 1:
            return [self.submit(function, arguments[0])]

        def submit() -> list[submitit.Job[Any]]:
            with self._executor.batch():
                return [self._executor.submit(Requeued(), function, argument) for argument in arguments]

        return self._futures(self._submitted(submit))

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

    def ended(self, future: Future[Any], *, worked: bool) -> None:
        """A task has ended, well or not. Jobs that are submitted from now on leave out the nodes that fail."""
        self._nodes.ended(self._ran_on.pop(future, None), worked=worked)

    def shutdown(self, wait: bool = True) -> None:
        self._closed.set()
        if wait:
            self._thread.join()

    def __enter__(self) -> SubmititExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def _submitted(self, submit: Callable[[], Any]) -> Any:
        """What submit() gives. A scheduler that has taken jobs before may be busy: it is asked again, and without
        leaving out any node, which may be what it refuses."""
        pauses = iter(BUSY if self._accepted else ())
        avoided = self._nodes.avoided
        while True:
            try:
                with self._script(avoided):
                    submitted = submit()
            except (OSError, subprocess.CalledProcessError, RuntimeError) as error:
                pause = next(pauses, None)
                if pause is None:
                    raise LstRobustError(
                        f"Slurm has not taken the tasks ({message_of(error)}): correct the options --slurm, or look "
                        "whether sbatch works here, and call again; what was finished is kept"
                    ) from error
                logger.warning("Slurm has not taken tasks (%s): it is tried again in %g s", message_of(error), pause)
                avoided = []
                _wait(pause)
            else:
                self._accepted = True
                return submitted

    @contextmanager
    def _script(self, avoided: Sequence[str]) -> Iterator[None]:
        """While it lasts, the scripts of jobs name their node, and leave out those that are to be avoided. A user who
        has named the nodes gets these."""
        if self.queue is None:
            yield
            return
        parameters = self._executor.parameters
        before = dict(parameters)
        parameters["setup"] = [*(before.get("setup") or []), SAY_NODE]
        if avoided and not before.get("nodelist"):
            parameters["exclude"] = ",".join(filter(None, [before.get("exclude"), *avoided]))
            logger.info("jobs leave out %s, where the last task has failed", ", ".join(avoided))
        try:
            yield
        finally:
            parameters.clear()
            parameters.update(before)

    def _futures(self, jobs: Sequence[submitit.Job[Any]]) -> list[Future[Any]]:
        futures: list[Future[Any]] = [Future() for _ in jobs]
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
                with self._lock:
                    del self._jobs[future]
                self._ran_on[future] = node_of(job)
                settle(future, job, has_result=has_result)

    def _gone(self, jobs: Iterable[submitit.Job[Any]]) -> set[str]:
        """Jobs of Slurm that were not in its queue twice: the file of a result may be seen here some seconds late."""
        ids = {job.job_id for job in jobs if is_slurm(job)}
        if not ids:
            return set()
        command = ["squeue", f"--user={os.getuid()}", "--noheader", "--array", "--format", "%i"]
        try:
            said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=ANSWER).stdout
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
