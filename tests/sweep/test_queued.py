"""Jobs that wait in a scheduler's queue, and that it stops: what the pool makes of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mnist_seq.config import ConfigError
from mnist_seq.runs.folder import RunFolder
from mnist_seq.sweep.engines import launcher_of
from mnist_seq.sweep.pool import pool, remote, worker
from mnist_seq.sweep.pool.answer import AnswerFile
from mnist_seq.sweep.pool.call import Call
from mnist_seq.sweep.pool.jobs import Full, Outcome, Policy, PoolJob, Refused
from mnist_seq.sweep.pool.remote import HANDED_BACK, STOPPED_BY, RemotePool
from mnist_seq.sweep.slurm.engine import parts
from mnist_seq.sweep.slurm.handle import SlurmHandle
from mnist_seq.sweep.slurm.packed_pool import auto_size, by_shape
from mnist_seq.sweep.slurm.queue import Orders, read, reasons
from mnist_seq.sweep.slurm.submission import check, in_a_line, seconds_until_signal
from tests.sweep.test_engines import needs

Act = Callable[[RunFolder], str]  # what a job does; its fault


class Scheduler:
    """Runs one act after the other, one for each job that is started."""

    slots: ClassVar[list[dict[str, str]]] = [{}]

    def __init__(self, acts: Sequence[Act]) -> None:
        self._acts, self.handles = list(acts), list[Handle]()

    def start(self, call: Call, slot: int) -> "Handle":
        self.handles.append(Handle(self._acts.pop(0), RunFolder(Path(call.folder))))
        return self.handles[-1]

    def close(self) -> None: ...


class Handle:
    """Waits for two looks, trains for two more, and is over."""

    def __init__(self, act: Act, folder: RunFolder) -> None:
        self._act, self._folder, self.num_looks = act, folder, 0

    def is_done(self) -> bool:
        self.num_looks += 1
        return self.num_looks > 3

    @property
    def has_begun(self) -> bool:
        return self.num_looks > 1

    def fault(self) -> str:
        return self._act(self._folder)

    def ask_to_stop(self) -> None: ...
    def kill(self) -> None: ...


class Told:
    """A view that keeps what it is told."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.seconds: list[float] = []

    def started(self, job: PoolJob, slot: int) -> None:
        self.words.append("started")

    def event(self, job: PoolJob, event: Any) -> None: ...
    def stopping(self, reason: str) -> None: ...

    def ended(self, outcome: Outcome, *, is_retried: bool) -> None:
        self.words.append(f"{outcome.state}{' again' * is_retried}")
        self.seconds.append(outcome.seconds)


def stopped(folder: RunFolder) -> str:
    folder.path.mkdir(exist_ok=True)
    return f"{STOPPED_BY}Slurm: time limit"


def stopped_further(folder: RunFolder) -> str:
    answer = stopped(folder)
    path = folder.checkpoint_path
    path.write_bytes(path.read_bytes() + b"." if path.exists() else b".")
    return answer


def finished(folder: RunFolder) -> str:
    folder.write_result(state="finished", metrics={}, num_params=1, steps=1, seconds=1.0)
    return ""


def run(tmp_path: Path, acts: Sequence[Act], **policy: Any) -> tuple[list[str], Outcome]:
    told = Told()
    queue = RemotePool(Scheduler(acts), policy=Policy(**policy), views=[told], is_queue=True)
    (outcome,) = queue.run([PoolJob("a", RunFolder(tmp_path / "a"), lambda: b"")])
    return told.words, outcome


def test_a_run_that_its_scheduler_stops_goes_on_and_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A night of time limits must neither end a sweep nor use its retries; a run that never comes
    further must end."""
    monkeypatch.setattr(remote, "TICK_S", 0.0)
    words, outcome = run(tmp_path, [stopped_further, stopped, stopped_further, stopped, finished],
                         resubmits=2, stop_after_same_failures=1)  # fmt: skip
    assert words == ["started", "interrupted again"] * 4 + ["started", "finished"], outcome
    (tmp_path / "a" / "checkpoint.pt").unlink()
    for path in (tmp_path / "a").iterdir():
        path.unlink()
    words, outcome = run(tmp_path, [stopped] * 3, resubmits=2)
    assert words == ["started", "interrupted again"] * 2 + ["started", "interrupted"]
    assert "time limit, 3 times in a row without a new checkpoint" in outcome.reason
    assert run(tmp_path, [stopped], resubmits=0)[0] == ["started", "interrupted"]


def test_a_job_that_nobody_can_end_is_given_up_after_its_grace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that does not answer must not keep the command for ever; nor does time in its
    queue count towards the time limit of a run."""
    monkeypatch.setattr(remote, "TICK_S", 0.0)
    monkeypatch.setattr(remote, "GONE_S", 0.0)

    def looked(handle: Handle) -> bool:
        handle.num_looks += 1
        return False

    monkeypatch.setattr(Handle, "is_done", looked)
    words, outcome = run(tmp_path, [stopped], timeout_s=0.0, grace_s=0.0)
    assert words == ["started", "failed"]
    assert "timeout" in outcome.reason


def test_a_job_waits_where_there_is_no_room_and_a_refused_sweep_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sites limit jobs at once; what they refuse altogether they refuse for each run."""

    def no_room(call: Call, slot: int) -> Handle:
        engine.start = start  # type: ignore[method-assign]
        raise Full("sbatch says: AssocMaxSubmitJobLimit")

    def refused(call: Call, slot: int) -> Handle:
        raise Refused("Slurm must take the jobs")

    monkeypatch.setattr(remote, "TICK_S", 0.0)
    monkeypatch.setattr(pool, "FULL_S", 0.0)
    engine = Scheduler([finished])
    start, engine.start = engine.start, no_room  # type: ignore[method-assign]
    job = PoolJob("a", RunFolder(tmp_path / "a"), lambda: b"")
    (tmp_path / "a").mkdir()
    assert len(RemotePool(engine, policy=Policy(), views=[], is_queue=True).run([job])) == 1
    engine.start = refused  # type: ignore[method-assign]
    with pytest.raises(ConfigError, match="must take the jobs"):
        RemotePool(engine, policy=Policy(), views=[], is_queue=True).run([job])


def test_a_call_says_that_it_has_begun_and_how_it_has_ended(tmp_path: Path) -> None:
    """The next command learns it, and takes no earlier call's answer for this one's."""
    one, two = (AnswerFile(tmp_path / "run.lock", call) for call in ("one", "two"))
    assert one.read() is None
    one.begin()
    assert two.read() is None
    said = one.read()
    assert said is not None
    assert not said.is_over
    one.end("ValueError: no")
    said = one.read()
    assert said is not None
    assert (said.is_over, said.fault) == (True, "ValueError: no")
    one.path.write_text("{")
    assert one.read() is None


def test_a_call_that_fails_has_said_so_when_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has said is all that a command knows which was not there meanwhile."""
    monkeypatch.chdir(tmp_path)
    lock = tmp_path / ".at_work" / "a.lock"
    call = Call(b"no pickle", str(tmp_path / "a"), str(lock), str(tmp_path), {}, id="one")
    fault = call()
    said = call.answer.read()
    assert said is not None
    assert (said.is_over, said.fault) == (True, fault)
    assert "Unpickling" in fault


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"timeout_min": 1}, "is 60 s, and the signal comes 90 s before its end"),
        ({"timeout_min": 2, "slurm_signal_delay_s": 31}, "needs 30 s or more"),
        ({"slurm_time": "1:00"}, "slurm_time=1 is 60 s"),
        ({"slurm_additional_parameters": {"time": 1}}, "parameters.time=1 is 60 s"),
        ({"slurm_additional_parameters": {"array": "0-3"}}, "must not have array=0-3"),
        ({"gpus_per_node": "a100:1"}, "slurm_gres=gpu:a100:1"),
        ({"slurm_additional_parameters": {"requeue": True}}, "hydra.launcher.resubmit"),
        ({"slurm_additional_parameters": "x"}, "keys of sbatch"),
        ({"tasks_per_node": 2}, "a job is one process: .* has tasks_per_node=2"),
        ({"slurm_additional_parameters": {"ntasks": 2}}, "a job is one process: .* has ntasks=2"),
        ({"slurm_setup": "module load x"}, r"slurm_setup=\["),
    ],
)
def test_parameters_with_which_no_run_can_work_are_refused(
    parameters: dict[str, Any], says: str
) -> None:
    """submitit takes them; the jobs would be killed while Python starts, or train twice."""
    with pytest.raises(ConfigError, match=says) as refused:
        check(parameters)
    assert "\n" not in str(refused.value)
    check({"timeout_min": 240, "gpus_per_node": 0})
    check({"timeout_min": 1, "slurm_time": "1-00"})  # slurm_time is what counts
    assert seconds_until_signal({"slurm_time": "1-02:00"}) == 26 * 3600 - 90
    assert seconds_until_signal({"slurm_time": "1:30:30"}) == 5430 - 90
    assert seconds_until_signal({"slurm_time": "INFINITE"}) == float("inf")


@needs("submitit_local")
@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"stacks_on": "cuda"}, "runs_per_job=1 gives each run a job of its own"),
        ({"max_runs": 4, "runs_per_job": 8}, "stacks_on=nothing makes none"),
        ({"cluster": "local", "max_runs": 4}, "max_runs is for jobs of Slurm"),
    ],
)
def test_keys_of_stacks_that_nothing_reads_are_refused(keys: dict[str, Any], says: str) -> None:
    """Else a user waits for stacks that nobody makes."""
    needed = {"cluster": "slurm", "workers": 1, "grace": 1, "slots_per_device": 1, "parameters": {}}
    with pytest.raises(ConfigError, match=says) as refused:
        launcher_of("submitit_slurm", "submitit", {**needed, **keys})
    assert "\n" not in str(refused.value)


def test_a_run_that_never_wrote_a_log_is_found_by_its_folder(tmp_path: Path) -> None:
    """A job may end before Python starts in it."""
    assert pool.log_path(tmp_path) == tmp_path
    (tmp_path / worker.LOG).touch()
    assert pool.log_path(tmp_path) == tmp_path / worker.LOG


def test_why_a_job_waits_is_read() -> None:
    """A job that fits no node waits for ever, and nobody would see why."""
    text = "1|PENDING|Nodes required are DOWN\n2_0|RUNNING|None\n3|PENDING|None\n4|FAILED|Exit\n"
    assert read(text) == {"1": "PENDING", "2_0": "RUNNING", "3": "PENDING", "4": "FAILED"}
    assert reasons(text) == {"1": "Nodes required are DOWN"}
    assert read("5|CANCELLED by 0\n6|TIMEOUT") == {"5": "CANCELLED", "6": "TIMEOUT"}  # sacct


def test_what_sbatch_says_is_one_line() -> None:
    said = """sbatch: error: invalid partition specified: nope
sbatch: error: Batch job submission failed: Invalid partition name specified
"""
    assert in_a_line(said) == (
        "invalid partition specified: nope; Batch job submission failed: Invalid partition name "
        "specified"
    )


def test_a_look_at_a_run_reads_only_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 runs on a shared file system, each read whole every second, are a load of their own."""
    folder = RunFolder(tmp_path)
    for step in range(1, 4):
        folder.append_metrics({"step": step, "epoch": step})
    rows, starts = remote.NewRows(folder), list[int]()
    read = folder.metric_lines

    def noted(start: int = 0) -> Any:
        starts.append(start)
        return read(start)

    monkeypatch.setattr(folder, "metric_lines", noted)
    assert rows.read() == [] == starts, "nothing is new, and so nothing is read"
    end = folder.metrics_path.stat().st_size
    folder.append_metrics({"step": 4, "epoch": 4})
    with folder.metrics_path.open("ab") as file:
        file.write(b'{"step": 5, ')  # it is being written
    assert [row["step"] for row in rows.read()] == [4]
    assert starts == [end]
    folder.rewind_metrics(2)
    assert rows.read() == []
    folder.append_metrics({"step": 3, "epoch": 3})
    assert [row["step"] for row in rows.read()] == [3]


def test_as_many_runs_share_a_job_as_make_its_start_small(tmp_path: Path) -> None:
    """A run of a second must not wait for an allocation of its own, nor a run of hours for others;
    a run whose job had no time for it has not failed to come further."""
    assert [auto_size(s, at_once=4) for s in (float("nan"), 0.0, 60.0, 7200.0)] == [4, 4, 40, 4]
    assert [len(part) for part in parts([None] * 7, 3)] == [3, 2, 2]  # type: ignore[list-item]
    assert parts([], 3) == []
    jobs = [PoolJob(name, RunFolder(tmp_path / name), lambda: b"", shape=name[:1]) for name in
            ("a1", "b1", "a2", "c1", "b2")]  # fmt: skip
    assert [job.name for job in by_shape(jobs)] == ["a1", "a2", "b1", "b2", "c1"], "stacks fill up"

    def handed_back(folder: RunFolder) -> str:
        return stopped(folder) + HANDED_BACK

    words, outcome = run(tmp_path, [handed_back] * 3 + [finished], resubmits=1)
    assert words == ["started", "interrupted again"] * 3 + ["started", "finished"], outcome
    answer = AnswerFile(tmp_path / "at_work" / "a=0.01.lock", "one")
    answer.order("kill")
    assert answer.ordered() == "kill"
    assert AnswerFile(tmp_path / "at_work" / "a=0.01.lock", "other").ordered() is None


def test_a_job_that_lacked_memory_is_called_so_whatever_its_state(tmp_path: Path) -> None:
    """Without cgroups Slurm kills it and says FAILED; only the job's log has the reason."""

    class Ended:
        def watch(self, job: str) -> None: ...
        def state(self, job: str) -> str:
            return "FAILED"

    stderr = tmp_path / "err"
    handle = SlurmHandle("1", AnswerFile(tmp_path / "run.lock", "one"), queue=Ended(),  # type: ignore[arg-type]
                         orders=Orders(), stderr=stderr, limit_s=1e9)  # fmt: skip
    assert "its process died (Slurm: job 1 FAILED)" in handle.fault()
    stderr.write_text("Killed\nslurmstepd-a: error: Detected 1 oom_kill event in StepId=1.0.\n")
    assert "hydra.launcher.parameters.mem_gb" in handle.fault()
    stderr.write_text("slurmstepd-a: error: StepId=1.0 exceeded memory limit (9 > 8), being killed")
    assert "hydra.launcher.parameters.mem_gb" in handle.fault()
