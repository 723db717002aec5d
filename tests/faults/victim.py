"""Trains runs in processes that may be killed: one warm process that forks a child for each.

Not a test. Reads a line a run from standard input, the folder and how large a file may be as JSON,
and answers with the child's exit code, which is negative where a signal has ended it.
"""

import json
import os
import resource
import sys
import traceback
from pathlib import Path

import torch

from mnist_seq.runs.folder import RunFolder
from mnist_seq.runs.lock import locked
from mnist_seq.tasks import task_of
from mnist_seq.training.run import Job, recorded_end, train_run
from tests.tasks.made import locate
from tests.training.conftest import make_config

WORDS = ("data.limit=160", "data.valid=400", "training.batch_size=20", "training.eval_every=3",
         "training.checkpoint_every=4", "training.evaluate=best", "training.keep_best=2",
         "model.hidden=16", "model.dropout=0.2", "model.layers=2", "device.threads=1",
         "optimizer.lr=0.01", "training.epochs=2")  # fmt: skip


def main() -> None:
    config, located = make_config(*WORDS), locate("mnist_5k", Path("data"))
    task_of(config.data).load(located)
    torch.set_num_threads(1)  # no thread of this process is lost in a fork
    for line in sys.stdin:
        folder, limit = json.loads(line)
        job = Job(config, located, RunFolder(Path(folder)), "victim")
        if (pid := os.fork()) == 0:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            _train(job)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _train(job: Job) -> None:
    code = 1
    try:
        with locked(job.folder.path, what="a run", wait_s=0.0):
            if recorded_end(job) is None:
                train_run(job, [])
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
