"""How the end of a job of Slurm is noticed, with jobs and a queue of the test's own; tests/clusters has real ones."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import pytest

from lst_robust.distribution import slurm
from lst_robust.distribution.driver import queue_of
from lst_robust.distribution.slurm import SubmititExecutor
from lst_robust.distribution.slurm_jobs import line_that_names_the_node, node_of
from lst_robust.errors import LstRobustError, UsageError


class SlurmJob:
    """As submitit's on a cluster without accounting: done() would never be true for a job that was killed."""

    def __init__(self, folder: Path, job_id: str) -> None:
        self.job_id = job_id
        self.paths = SimpleNamespace(
            folder=folder, result_pickle=folder / f"{job_id}_0_result.pkl", stderr=folder / f"{job_id}_0_log.err"
        )

    def done(self) -> bool:
        pytest.fail("sacct is asked")

    def ends(self, outcome: str, value: object) -> None:
        part = self.paths.result_pickle.with_suffix(".part")
        part.write_bytes(pickle.dumps((outcome, value)))
        part.rename(self.paths.result_pickle)

    def exception(self) -> Exception | None:
        outcome, value = pickle.loads(self.paths.result_pickle.read_bytes())
        line = "-" * 22
        return None if outcome == "success" else RuntimeError(f"Job failed with trace:\n{line}\n{value}\n{line}\nlogs")

    def result(self) -> object:
        return pickle.loads(self.paths.result_pickle.read_bytes())[1]


class Cluster:
    """submitit's executor, and squeue."""

    cluster = "slurm"

    def __init__(self, folder: Path) -> None:
        self.folder, self.jobs, self.queue = folder, [], set()
        self.parameters: dict[str, object] = {"exclude": "old", "setup": ["module load python"]}
        self.scripts: list[dict[str, object]] = []  # the parameters of each job
        self.answers = True
        self.asked = 0

    def submit(self, function, *arguments) -> SlurmJob:
        job = SlurmJob(self.folder, f"7_{len(self.jobs)}")
        self.jobs.append(job)
        self.scripts.append(dict(self.parameters))
        self.queue.add(job.job_id)
        return job

    def run(self, command, **options) -> SimpleNamespace:
        assert command[:2] == ["squeue", "--all"] and options["timeout"] == slurm.ANSWER
        assert not [name for name in options["env"] if name.startswith("SQUEUE_")] and options["env"]["PATH"]
        self.asked += 1
        if not self.answers:
            raise subprocess.TimeoutExpired(command, slurm.ANSWER)
        return SimpleNamespace(stdout="\n".join(self.queue))


@pytest.fixture
def cluster(tmp_path, monkeypatch) -> Cluster:
    made = Cluster(tmp_path)
    monkeypatch.setattr(slurm.subprocess, "run", made.run)
    monkeypatch.setattr(slurm, "POLL", 600.0)  # the test looks itself
    return made


@pytest.fixture
def executor(cluster):
    with SubmititExecutor(cluster) as made:
        yield made


def looks(executor: SubmititExecutor, times: int = 2) -> None:
    for _ in range(times):
        executor._look(ask_queue=True)


def test_a_result_is_handed_on_as_soon_as_its_file_is_there(executor, cluster):
    future = executor.submit(str, "x")
    executor._look(ask_queue=False)
    assert not future.done()
    cluster.jobs[0].ends("success", {"top1_error": 7.0})
    executor._look(ask_queue=False)
    assert future.result(timeout=0) == {"top1_error": 7.0} and cluster.asked == 0


def test_an_error_is_the_last_line_of_the_traceback(executor, cluster):
    future = executor.submit(str, "x")
    cluster.jobs[0].ends("error", "Traceback\n  File x\nOSError: stale file handle\n")
    executor._look(ask_queue=False)
    with pytest.raises(LstRobustError, match=r"^job 7_0: OSError: stale file handle$"):
        future.result(timeout=0)


def test_a_job_that_left_the_queue_without_a_result_has_died_and_its_log_is_quoted(executor, cluster):
    died, waits = executor.submit(str, "x"), executor.submit(str, "y")
    cluster.jobs[0].paths.stderr.write_text("loading\nslurmstepd: error: *** STEP 7.0 CANCELLED ***\n\n")
    cluster.queue.discard("7_0")
    looks(executor, 1)
    assert not died.done(), "its file may come late"
    looks(executor, 1)
    with pytest.raises(LstRobustError, match=r"^job 7_0 has left Slurm's queue without a result.*STEP 7.0 CANCELLED"):
        died.result(timeout=0)
    assert not waits.done()


def test_a_future_knows_the_node_on_which_its_job_began_last(executor, cluster):
    known, unknown, torn = (executor.submit(str, "x") for _ in range(3))
    for job in cluster.jobs:
        job.ends("error", "OSError: no space left")
    cluster.folder.joinpath("7_0_node.txt").write_text("n1\n")
    cluster.folder.joinpath("7_2_node.txt").write_text("n")
    executor._look(ask_queue=False)
    assert known.done() and (known.node, unknown.node, torn.node) == ("n1", None, None)


def test_the_line_of_a_script_writes_the_node_where_it_is_read(tmp_path):
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    for array in ({"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "1"}, {}):
        environment = {"SLURM_JOB_ID": "8", "SLURMD_NODENAME": "n1"} | array
        subprocess.run(["bash", "-ec", line_that_names_the_node(folder)], env=environment, check=True)
    assert [node_of(SlurmJob(folder, job_id)) for job_id in ("7_1", "8", "7")] == ["n1", "n1", None]
    subprocess.run(["bash", "-ec", line_that_names_the_node(folder / "gone")], env={}, check=True)


def test_a_retry_leaves_out_nodes_and_other_jobs_do_not(executor, cluster):
    for future in (
        executor.submit(str, "x"),
        executor.submit_elsewhere(str, "x", ["n1", "n3"]),
        executor.submit(str, "x"),
    ):
        assert not future.done()
    assert [script["exclude"] for script in cluster.scripts] == ["old", "old,n1,n3", "old"]
    setups = [script["setup"] for script in cluster.scripts]
    assert all(setup == [line_that_names_the_node(cluster.folder), "module load python"] for setup in setups)
    assert cluster.parameters == {"exclude": "old", "setup": ["module load python"]}, "they are as the user had them"


@pytest.mark.parametrize(
    "given",
    [{"nodelist": "n1"}, {"exclude": "/shared/bad.txt"}, {"additional_parameters": {"exclude": "n2"}}],
    ids=str,
)
def test_options_of_the_user_that_do_not_fit_stay_as_they_are(executor, cluster, given):
    cluster.parameters = dict(given)
    executor.submit_elsewhere(str, "x", ["n1"])
    assert {name: value for name, value in cluster.scripts[0].items() if name != "setup"} == given


def test_it_knows_how_many_jobs_run_at_a_time(executor, cluster):
    cluster.parameters = {"array_parallelism": 32}
    assert executor.at_once == 32
    cluster.parameters = {}
    assert executor.at_once is None


def test_a_node_with_a_number_for_a_name_is_left_out_too(executor, cluster):
    cluster.parameters = {"exclude": 17}
    executor.submit_elsewhere(str, "x", ["18"])
    assert cluster.scripts[0]["exclude"] == "17,18"


def test_a_job_that_waits_for_long_may_run_on_any_node(executor, cluster, monkeypatch):
    """The other nodes may have been taken out of service."""
    commands = []

    def run(command, **options) -> SimpleNamespace:
        if command[0] == "squeue":
            return cluster.run(command, **options)
        return commands.append(command)

    monkeypatch.setattr(slurm.subprocess, "run", run)
    executor.submit_elsewhere(str, "x", ["n1"])
    looks(executor)
    assert commands == []
    monkeypatch.setattr(slurm, "AVOID", -1.0)
    executor.submit_elsewhere(str, "x", ["n1"])
    looks(executor)
    assert commands == [["scontrol", "update", "JobId=7_1", "ExcNodeList=old"]], "once, with what the user leaves out"


def test_jobs_of_hidden_partitions_and_of_all_states_are_seen(executor, cluster, monkeypatch):
    """Else squeue would not list a job that runs, and it would be taken for dead."""
    monkeypatch.setenv("SQUEUE_STATES", "PENDING")
    executor.submit(str, "x")
    looks(executor, 1)
    assert cluster.asked == 1, "see Cluster.run"


def test_a_file_that_comes_late_counts(executor, cluster):
    future = executor.submit(str, "x")
    cluster.queue.clear()
    looks(executor, 1)
    cluster.jobs[0].ends("success", 3)
    looks(executor, 1)
    assert future.result(timeout=0) == 3


def test_a_job_that_is_requeued_is_waited_for(executor, cluster):
    future = executor.submit(str, "x")
    for _ in range(3):
        cluster.queue.clear()
        looks(executor, 1)
        cluster.queue.add("7_0")
        looks(executor, 1)
    assert not future.done()


def test_a_queue_that_does_not_answer_kills_no_job_and_is_said_once(executor, cluster, caplog):
    future = executor.submit(str, "x")
    cluster.answers = False
    looks(executor, 5)
    assert not future.done() and len(caplog.messages) == 1 and "squeue does not answer" in caplog.text
    cluster.answers = True
    cluster.queue.clear()
    looks(executor)
    assert isinstance(future.exception(timeout=0), LstRobustError)


def test_the_thread_outlives_an_error_of_a_look(cluster, monkeypatch, caplog):
    """Else every future would be waited for without end."""
    monkeypatch.setattr(slurm, "POLL", 0.01)
    calls = []

    def files(jobs):
        calls.append(1)
        if len(calls) < 3:
            raise OSError("stale file handle")
        return {"7_0_0_result.pkl"}

    monkeypatch.setattr(slurm, "files_of", files)
    with SubmititExecutor(cluster) as executor:
        cluster.folder.joinpath("7_0_0_result.pkl").write_bytes(pickle.dumps(("success", 5)))
        future = executor.submit(str, "x")
        assert future.result(timeout=30) == 5
    assert "stale file handle" in caplog.text


def test_submitits_own_messages_leave_stdout(capsys, monkeypatch):
    pytest.importorskip("submitit")
    logger = logging.getLogger("submitit")
    ours = logging.StreamHandler(sys.stdout)
    logger.addHandler(ours)
    monkeypatch.setattr(slurm.shutil, "which", lambda name: f"/usr/bin/{name}")
    try:
        slurm.require_slurm()
        logger.warning("Call #1 - Bypassing sacct error")
    finally:
        logger.removeHandler(ours)
    assert capsys.readouterr().out == ""
    assert all(handler.name != "submitit_out" for handler in logger.handlers)


def test_without_slurm_or_submitit_the_mend_is_named(monkeypatch):
    monkeypatch.setattr(slurm.shutil, "which", lambda name: None)
    if "submitit" in sys.modules or pytest.importorskip("submitit"):
        with pytest.raises(UsageError, match=r"there is no Slurm here \(no sbatch\)"):
            slurm.require_slurm()
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UsageError, match=r"pip install 'lst-robust\[slurm\]'"):
        slurm.require_slurm()


def test_jobs_of_submitits_own_processes_are_asked_themselves(executor, cluster):
    """submitit.LocalExecutor and DebugExecutor."""
    local = SimpleNamespace(job_id="1", done=lambda: True, exception=lambda: None, result=lambda: 9)
    future: Future = executor._futures([local])[0]
    looks(executor, 1)
    assert future.result(timeout=0) == 9 and cluster.asked == 0


def test_the_queue_is_asked_more_rarely_than_the_files(cluster, monkeypatch):
    monkeypatch.setattr(slurm, "POLL", 0.01)
    monkeypatch.setattr(slurm, "QUEUE", 0.05)
    looked = []
    monkeypatch.setattr(slurm, "files_of", lambda jobs: looked.append(1) or set())
    with SubmititExecutor(cluster) as executor:
        executor.submit(str, "x")
        deadline = time.monotonic() + 30
        while cluster.asked < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert len(looked) >= 4 * cluster.asked


class Busy(Cluster):
    """Whose sbatch fails at some calls, counted from 0."""

    def __init__(self, folder: Path, fails: set[int]) -> None:
        super().__init__(folder)
        self.fails, self.calls = fails, 0

    def submit(self, function, *arguments) -> SlurmJob:
        self.calls += 1
        if self.calls - 1 in self.fails:
            raise RuntimeError("sbatch: error: Batch job submission failed: Socket timed out")
        return super().submit(function, *arguments)


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(slurm, "_wait", found.append)
    monkeypatch.setattr(slurm, "POLL", 600.0)
    return found


def test_an_sbatch_that_has_never_worked_is_not_asked_again(tmp_path, waits):
    with SubmititExecutor(Busy(tmp_path, {0})) as executor, pytest.raises(LstRobustError, match="correct the options"):
        executor.submit(str, "x")
    assert waits == []


def test_an_sbatch_that_is_busy_for_a_moment_is_asked_again(tmp_path, waits, caplog):
    cluster = Busy(tmp_path, {1, 2})
    with SubmititExecutor(cluster) as executor:
        for _ in range(2):
            executor.submit(str, "x")
    assert waits == list(slurm.BUSY[:2]) and len(cluster.jobs) == 2 and "tried again in 1 s" in caplog.text


def test_an_sbatch_that_refuses_to_leave_out_a_node_is_asked_without_that(tmp_path, waits, caplog):
    cluster = Busy(tmp_path, {1})
    with SubmititExecutor(cluster) as executor:
        executor.submit(str, "x")
        executor.submit_elsewhere(str, "x", ["n1"])
    assert [script["exclude"] for script in cluster.scripts] == ["old", "old"] and waits == []
    assert "Slurm does not leave out n1 (" in caplog.text


def test_an_sbatch_that_does_not_work_any_more_is_one_line(tmp_path, waits):
    with SubmititExecutor(Busy(tmp_path, set(range(1, 99)))) as executor:
        executor.submit(str, "x")
        with pytest.raises(LstRobustError, match=r"Socket timed out.*what was finished is kept") as raised:
            executor.submit(str, "x")
    assert waits == list(slurm.BUSY) and "\n" not in str(raised.value)


def test_options_reach_sbatch(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setattr(slurm.shutil, "which", lambda name: f"/usr/bin/{name}")
    options = {"partition": "gpu", "time": "1-0", "cpus-per-task": "8", "mem": "16GB", "nice": "5"}
    with slurm.slurm_executor(tmp_path, 7, gpus=1, options=options) as executor:
        script = executor._executor._executor._make_submission_file_text("work", "id")
        assert executor._executor._executor.parameters["array_parallelism"] == 7
    expected = ["partition=gpu", "time=1440", "cpus-per-task=8", "mem=16GB", "nice=5", "gpus-per-node=1", "requeue"]
    assert all(f"#SBATCH --{line}\n" in script for line in [*expected, "signal=USR2@90", "job-name=lst-robust"]), script


def test_the_jobs_of_a_call_have_one_folder_which_is_looked_at_once(tmp_path, monkeypatch):
    """A thousand jobs with a folder each were three thousand questions to the file system each second."""
    submitit = pytest.importorskip("submitit")
    monkeypatch.setattr(slurm.shutil, "which", lambda name: f"/usr/bin/{name}")
    with slurm.slurm_executor(tmp_path / "a", 1) as one, slurm.slurm_executor(tmp_path / "a", 1) as other:
        folders = [
            {submitit.core.utils.JobPaths(made._executor.folder, f"7_{n}").folder for n in range(3)}
            for made in (one, other)
        ]
    assert len(folders[0]) == len(folders[1]) == 1 and folders[0] != folders[1]


def test_only_slurm_has_a_queue_and_processes_of_this_machine_start_at_once(cluster, tmp_path):
    """A thousand tasks were a thousand processes."""
    submitit = pytest.importorskip("submitit")
    here = [submitit.AutoExecutor(tmp_path, cluster=name) for name in ("local", "debug")]
    for executor in (*here, submitit.LocalExecutor(tmp_path), submitit.DebugExecutor(tmp_path)):
        with SubmititExecutor(executor) as made:
            assert queue_of(made) is None
    with SubmititExecutor(cluster) as made:
        assert queue_of(made) == slurm.MOST_AT_A_TIME
