"""A real Slurm of one node on this machine: `apt-get install slurm-wlm munge`.

    python -m tests.slurm.cluster FOLDER     starts it, prints how to use it, and ends it at Ctrl-C
    python -m tests.slurm.cluster FOLDER accounting     the same with slurmdbd, mariadb-server

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

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "setpriv")
_SBIN = ("/usr/sbin", "/usr/local/sbin")  # not in everybody's PATH

_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
{accounting}
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
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=16000 Feature=fast Gres=gpu:a100:1
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=requeued Nodes={host} PriorityTier=1 PreemptMode=REQUEUE MaxTime=INFINITE State=UP
PartitionName=cancelled Nodes={host} PriorityTier=1 PreemptMode=CANCEL MaxTime=INFINITE State=UP
PartitionName=urgent Nodes={host} PriorityTier=10 PreemptMode=OFF MaxTime=INFINITE State=UP
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
"""
_GRES = "Name=gpu Type=a100 File=/dev/null Count=1\n"
_NO_ACCOUNTING = """\
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none"""
# there are no cgroups in a container, so that this is what kills a job for its memory
_ACCOUNTING = """\
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill,UsePss
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[2]}
AccountingStoragePass={folder}/munge/socket
AccountingStorageEnforce=associations,limits,qos
"""
_DBD = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdAddr=127.0.0.1
DbdHost={host}
DbdPort={ports[2]}
SlurmUser={user}
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports[3]}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
"""
ACCOUNTANTS = ("slurmdbd", "mariadbd", "mariadb-install-db", "mariadb", "sacctmgr")


def missing(*, accounting: bool = False) -> str:
    """What this machine lacks for a Slurm of its own, or ""."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *_SBIN])
    wanted = (*PROGRAMS, *ACCOUNTANTS) if accounting else PROGRAMS
    absent = [name for name in wanted if shutil.which(name, path=path) is None]
    if absent:
        more = " slurmdbd mariadb-server" if accounting else ""
        return f"apt-get install slurm-wlm munge{more}: {', '.join(absent)} not found"
    return "" if os.getuid() == 0 else "a Slurm of one's own is started as root"


class Cluster:
    """The running daemons.

    Attributes:
        env: variables for the commands of Slurm.
        node: name of the one node.
    """

    def __init__(self, folder: Path, *, cpus: int, accounting: bool = False) -> None:
        self.folder, self.node = folder, socket.gethostname().split(".")[0]
        for name in ("munge", "state", "spool"):
            (folder / name).mkdir(parents=True)
        (folder / "munge").chmod(0o700)
        key = folder / "munge" / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(4)]
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            ports = [each.getsockname()[1] for each in sockets]
        self.has_accounts, self._ports = accounting, ports
        self._user = subprocess.check_output(["id", "-un"], text=True).strip()
        names = {"host": self.node, "folder": folder, "user": self._user, "ports": ports}
        accounts = _ACCOUNTING.format(**names) if accounting else _NO_ACCOUNTING
        conf = folder / "slurm.conf"
        conf.write_text(_CONF.format(**names, cpus=cpus, accounting=accounts))
        (folder / "gres.conf").write_text(_GRES)
        dbd = folder / "slurmdbd.conf"  # slurmdbd wants it for nobody else's eyes
        dbd.touch(0o600)
        dbd.write_text(_DBD.format(**names))
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
        if self.has_accounts:
            self._start_accounting()
        self.daemon("slurmctld", "-D")
        self.daemon("slurmd", "-D")
        state = ("sinfo", "--noheader", "--partition=debug", "--format=%T")
        self._wait(lambda: self(*state, check=False).strip() == "idle")

    def _start_accounting(self) -> None:
        """A database of its own, slurmdbd, and an account and a QOS for this user."""
        data, own = self.folder / "data", self.folder / "database"
        who, port = f"--user={self._user}", f"--port={self._ports[3]}"
        self("mariadb-install-db", "--no-defaults", who, f"--datadir={data}", "--skip-test-db",
             "--auth-root-authentication-method=normal")  # fmt: skip
        self.daemon("mariadbd", "--no-defaults", who, port, f"--socket={own}",
                    f"--datadir={data}", f"--pid-file={self.folder}/mariadbd.pid",
                    "--bind-address=127.0.0.1")  # fmt: skip
        self._wait(own.exists)
        orders = ("create database slurm; create user slurm@'%' identified by 'slurm'; "
                  "grant all on slurm.* to slurm@'%'")  # fmt: skip
        self("mariadb", "--no-defaults", f"--socket={own}", "--user=root", f"--execute={orders}")
        self.daemon("slurmdbd", "-D")
        add = ("sacctmgr", "--immediate", "add")
        self._wait(lambda: bool(self(*add, "cluster", "test", check=False)))
        self(*add, "account", "lab")
        self(*add, "qos", "long")
        self(*add, "user", self._user, "account=lab", "qos=normal,long", "defaultqos=normal")

    def daemon(self, name: str, *words: str) -> None:
        """Start a daemon, which ends with this process, however that ends."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig=TERM", name, *words],
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
                logs = {
                    p.name: p.read_text(errors="replace")[-500:] for p in self.folder.glob("*.log")
                }
                raise TimeoutError(f"Slurm did not come up: {logs}")
            time.sleep(0.1)


@contextlib.contextmanager
def cluster(folder: Path, *, cpus: int = 4, accounting: bool = False) -> Iterator[Cluster]:
    """A Slurm that runs during the block.

    Args:
        folder: a new folder of its own; its path must be short, because it holds a socket.
        accounting: whether it has slurmdbd, with a database of its own.
    """
    made = Cluster(folder, cpus=cpus, accounting=accounting)
    try:
        made.start()
        yield made
    finally:
        made.close()


def exported(env: Mapping[str, str]) -> str:
    """The variables for a shell."""
    return " ".join(f"export {name}='{value}';" for name, value in env.items())


if __name__ == "__main__":
    with cluster(Path(sys.argv[1]).absolute(), accounting="accounting" in sys.argv[2:]) as running:
        print(exported(running.env), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
