"""Machines and accounts that lack something: each is real, and handled or refused in one line."""

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.runs.sweep_folder import SweepFolder
from tests.conftest import clean_env
from tests.sweep.conftest import changes, numbers

SMALL = ["data=mnist_5k", "tracker=none", "model.hidden=8", "data.limit=500",
         "training.batch_size=100"]  # fmt: skip
NAMES = ["seed=0", "seed=1"]
SWEEP = ["-m", *SMALL, "seed=0,1", "sweep.baseline=none"]
POOR = {  # no home, no locale, no place for temporary files
    "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TMPDIR": "/proc/nonexistent",
}  # fmt: skip


def command(
    folder: Path, module: str, *words: str, code: int = 0, before: tuple[str, ...] = (), **env: str
) -> str:
    """Run one of our commands, after words such as `unshare`; its output without a traceback."""
    done = subprocess.run(
        [*before, sys.executable, "-m", f"mnist_seq.{module}", *words],
        cwd=folder,
        env={**clean_env(), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        check=False,
    )
    output = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == code, output
    assert "Traceback" not in output, output
    return output


def results(folder: Path, name: str) -> dict[str, Any]:
    sweep = SweepFolder(folder / "outputs" / "sweeps" / name)
    return {run: numbers(sweep.run(run)) for run in NAMES}


@pytest.mark.slow
def test_a_sweep_without_home_locale_temporary_folder_and_with_one_core(tmp_path: Path) -> None:
    """As a batch system may start it; names that its locale lacks are refused, or shown escaped."""
    one_core = f"taskset -c {min(os.sched_getaffinity(0))} env -u HOME".split()
    command(tmp_path, "train", *SWEEP, "sweep.name=s", before=tuple(one_core), **POOR)
    rows = SweepFolder(tmp_path / "outputs" / "sweeps" / "s").ledger()
    told = [row["change"] for row in rows if row["change"] in ("started", "finished")]
    assert told == ["started", "finished"] * 2, "one at a time"
    said = command(tmp_path, "compare", "sweep=outputs/sweeps/s", "formats=[csv]", **POOR)
    assert "\\u202f" in said, "the table has characters that the locale lacks"
    assert (tmp_path / "outputs" / "sweeps" / "s" / "report" / "report.csv").exists()
    said = command(tmp_path, "compare", "sweep=grö", code=1, **POOR)
    assert "a command is text in the locale's encoding, ascii" in said


def test_a_folder_that_no_record_could_name_is_refused(tmp_path: Path) -> None:
    """Of bytes that are no text, or removed: else each run fails at its first file."""
    latin = tmp_path / os.fsdecode(b"gr\xf6n")
    latin.mkdir()
    said = command(latin, "train", *SWEEP, code=1)
    assert "a folder's name is text in the locale's encoding, utf-8" in said
    assert not list(latin.iterdir())
    removed = ("bash", "-c", 'rmdir "$PWD"; exec "$@"', "bash")
    for module in ("train", "compare"):
        (tmp_path / "gone").mkdir()
        said = command(tmp_path / "gone", module, code=1, before=removed)
        assert "the current one was removed" in said


@pytest.mark.slow
def test_what_is_in_a_runs_way_fails_that_run_by_name_and_no_screen_ends_a_sweep(
    tmp_path: Path,
) -> None:
    """Nothing can be written about such a run, and the command still ends with an error."""
    sweep = tmp_path / "outputs" / "sweeps" / "s"
    (sweep / "seed=1" / "log.txt").mkdir(parents=True)
    (sweep / "seed=0").symlink_to("/proc/nonexistent/run")
    said = command(tmp_path, "train", *SWEEP, "sweep.name=s", code=1)
    assert f"FileExistsError: [Errno 17] File exists: '{sweep / 'seed=0'}'" in said
    assert f"IsADirectoryError: [Errno 21] Is a directory: '{sweep / 'seed=1' / 'log.txt'}'" in said
    (sweep / "seed=0").unlink()
    said = command(tmp_path, "train", *SWEEP, "sweep.name=s", code=1)
    assert "1 of 2 runs done, 1 failed" in said
    (sweep / "seed=1" / "log.txt").rmdir()
    full = ("bash", "-c", '"$@" > /dev/full', "bash")
    assert not command(tmp_path, "train", *SWEEP, "sweep.name=s", before=full)
    assert set(results(tmp_path, "s")) == set(NAMES)


def test_a_limit_on_memory_is_named(tmp_path: Path) -> None:
    """`ulimit -v`, as batch systems set it: the import of torch is the first to fail."""
    done = subprocess.run(
        [sys.executable, "-m", "mnist_seq.train", *SMALL, "hydra.run.dir=run"],
        cwd=tmp_path, env=clean_env(), capture_output=True, text=True, timeout=300, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (400 << 20,) * 2),
    )  # fmt: skip
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "mnist_seq: this process is given too little memory: " in last
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "run.json").exists()


FULL = """
set -e
mount -t tmpfs -o size=40m full disk
mount -t tmpfs -o ro none /dev/shm
cd disk
export TMPDIR=$PWD/tmp; mkdir tmp
head -c {filler} /dev/zero > filler
set +e
{python} -m mnist_seq.train "$@" > first 2>&1; echo $? >> ../codes; cp first ..
rm filler
{python} -m mnist_seq.train "$@" > ../second 2>&1; echo $? >> ../codes
mount -o remount,ro .
{python} -m mnist_seq.train "$@" > ../third 2>&1; echo $? >> ../codes
{python} -m mnist_seq.compare sweep=outputs/sweeps/s > ../fourth 2>&1; echo $? >> ../codes
{python} -m mnist_seq.train -m {small} seed=5 sweep.name=new > ../fifth 2>&1; echo $? >> ../codes
cp -r outputs ..
exit 0
"""


@pytest.mark.slow
def test_a_disk_that_is_full_or_read_only_and_no_shared_memory(tmp_path: Path) -> None:
    """A real one, in a namespace of its own: the runs fail by name, and go on when there is room.

    To read alone, a finished sweep is looked at, and what would write says that it cannot.
    """
    command(tmp_path, "train", *SWEEP, "model.layers=3", "model.hidden=96", "sweep.name=s")
    whole = results(tmp_path, "s")
    there = tmp_path / "there"
    (there / "disk").mkdir(parents=True)
    script = FULL.format(python=sys.executable, filler=str(39 << 20), small=" ".join(SMALL))
    subprocess.run(
        ["unshare", "-Urm", "bash", "-c", script, "bash", *SWEEP, "model.layers=3",
         "model.hidden=96", "sweep.name=s"],
        cwd=there, env=clean_env(), check=True, timeout=300,
    )  # fmt: skip
    said = {
        name: (there / name).read_text() for name in ("first", "second", "third", "fourth", "fifth")
    }
    codes = (there / "codes").read_text().split()
    assert codes[:2] == ["1", "0"], said
    assert "No space left on device" in said["first"]
    assert results(there, "s") == whole
    assert codes[2:] == ["1", "1", "1"], said
    for name in ("third", "fourth", "fifth"):
        assert "Read-only file system" in said[name].splitlines()[-1]
    assert not any("Traceback" in text for text in said.values())


BACKWARDS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
static long back = 0;
int clock_gettime(clockid_t id, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *) = 0;
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(id, t);
    if (id == CLOCK_REALTIME) t->tv_sec -= (back += 7);
    return code;
}
"""


@pytest.mark.slow
def test_a_clock_that_jumps_backwards_changes_nothing(tmp_path: Path) -> None:
    """Each look at the clock shows an earlier time; seconds, locks and the ledger's order hold."""
    command(tmp_path, "train", *SWEEP, "sweep.name=whole")
    (tmp_path / "back.c").write_text(BACKWARDS)
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", "back.so", "back.c", "-ldl"], cwd=tmp_path, check=True
    )
    back = {"LD_PRELOAD": str(tmp_path / "back.so")}
    for _ in range(2):
        command(tmp_path, "train", *SWEEP, "sweep.name=back", **back)
    assert results(tmp_path, "back") == results(tmp_path, "whole")
    sweep = SweepFolder(tmp_path / "outputs" / "sweeps" / "back")
    times = [row["time"] for row in sweep.ledger()]
    assert times != sorted(times), "the clock did jump"
    assert sorted(changes(sweep, "reused")) == NAMES
    for name in NAMES:
        run = sweep.run(name)
        seconds = [row["seconds"] for row in run.metrics()] + [run.result()["seconds"]]
        assert seconds == sorted(seconds)
        assert 0 < seconds[-1] < 300
    command(tmp_path, "compare", "sweep=outputs/sweeps/back", "formats=[csv]", **back)
