"""A real Slurm of one node on this machine: `apt-get install slurm-wlm munge`.

    python -m tests.slurm.cluster FOLDER     starts it, prints how to use it, and ends it at Ctrl-C

It listens on loopback alone, works in a folder of its own, and has no cgroups: for tests, not work.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
_SBIN = ("/usr/sbin", "/usr/local/sbin")  # not in everybody's PATH

_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=10
MinJobAge=300
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=1,bf_interval=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=16000 State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """What this machine lacks for a Slurm of its own, or ""."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *_SBIN])
    absent = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if absent:
        return f"apt-get install slurm-wlm munge: {', '.join(absent)} not found"
    return "" if os.getuid() == 0 else "a Slurm of one's own is started as root"


class Cluster:
    """The running daemons.

    Attributes:
        env: variables for the commands of Slurm.
        node: name of the one node.
    """

    def __init__(self, folder: Path, *, cpus: int) -> None:
        self.folder, self.node = folder, socket.gethostname().split(".")[0]
        for name in ("munge", "state", "spool"):
            (folder / name).mkdir(parents=True)
        (folder / "munge").chmod(0o700)
        key = folder / "munge" / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        with socket.socket() as one, socket.socket() as two:
            for each in (one, two):
                each.bind(("127.0.0.1", 0))
            ports = [each.getsockname()[1] for each in (one, two)]
        conf = folder / "slurm.conf"
        user = subprocess.check_output(["id", "-un"], text=True).strip()
        conf.write_text(
            _CONF.format(host=self.node, folder=folder, ports=ports, cpus=cpus, user=user)
        )
        path = os.pathsep.join([os.environ["PATH"], *_SBIN])
        self.env = {"SLURM_CONF": str(conf), "PATH": path}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start munged, slurmctld and slurmd, and wait until the node is there."""
        munge = [f"--key-file={self.folder}/munge/key", f"--socket={self.folder}/munge/socket",
                 f"--pid-file={self.folder}/munge/pid", f"--log-file={self.folder}/munge/log",
                 f"--seed-file={self.folder}/munge/seed"]  # fmt: skip
        self.daemon("munged", "--foreground", "--force", *munge)
        self._wait(lambda: (self.folder / "munge" / "socket").exists())
        self.daemon("slurmctld", "-D")
        self.daemon("slurmd", "-D")
        self._wait(lambda: self("sinfo", "-h", "-o", "%T", check=False).strip() == "idle")

    def daemon(self, name: str, *words: str) -> None:
        """Start a daemon."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                [name, *words],
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """Kill a daemon at once."""
        self._daemons[name].kill()
        self._daemons[name].wait()

    def __call__(self, *words: str, check: bool = True) -> str:
        """Run a command of Slurm, and return what it prints."""
        done = subprocess.run(
            words, env={**os.environ, **self.env}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=60, check=check,
        )  # fmt: skip
        return done.stdout

    def jobs(self, name: str = "") -> dict[str, str]:
        """States of all jobs by id, those that have ended lately too.

        Args:
            name: of the jobs, or "".
        """
        lines = self("squeue", "-h", "-t", "all", "-o", "%i|%j|%T").split()
        rows = [line.split("|") for line in lines]
        return {job: state for job, own, state in rows if name in ("", own)}

    def close(self) -> None:
        """End all jobs, then the daemons."""
        with contextlib.suppress(subprocess.SubprocessError, OSError):
            if jobs := [job for job, state in self.jobs().items() if state != "COMPLETED"]:
                self("scancel", "--full", "--signal=KILL", *jobs, check=False)
                self("scancel", *jobs, check=False)
                self._wait(lambda: not {"RUNNING", "COMPLETING"} & {*self.jobs().values()})
        for daemon in reversed(self._daemons.values()):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def _wait(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not is_so():
            for name, daemon in self._daemons.items():
                if daemon.poll() is not None:
                    log = (self.folder / f"{name}.log").read_text(errors="replace")
                    raise RuntimeError(f"{name} has ended: {log[-1000:]}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"Slurm did not come up; its logs are in {self.folder}")
            time.sleep(0.1)


@contextlib.contextmanager
def cluster(folder: Path, *, cpus: int = 4) -> Iterator[Cluster]:
    """A Slurm that runs during the block.

    Args:
        folder: a new folder of its own; its path must be short, because it holds a socket.
    """
    made = Cluster(folder, cpus=cpus)
    try:
        made.start()
        yield made
    finally:
        made.close()


def exported(env: Mapping[str, str]) -> str:
    """The variables for a shell."""
    return " ".join(f"export {name}='{value}';" for name, value in env.items())


if __name__ == "__main__":
    with cluster(Path(sys.argv[1]).absolute()) as running:
        print(exported(running.env), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
