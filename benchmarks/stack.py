"""Measures the training steps of R runs in one stack, against one after the other, and in a pool.

    python benchmarks/stack.py
    python benchmarks/stack.py --quick
    python benchmarks/stack.py --device cuda --cells lstm --hidden 64 --runs 1 64 256

One step gathers a batch of 64 sequences of 28 x 28, then runs forward, backward and Adam; there is
no clipping and no evaluation. On a CPU each process has one thread, as many stacks or pooled runs
work at once as there are cores, and times are CPU times, so that other load does not count. On a
GPU there is one stack, or --pool runs at once, and times are wall times. A ratio above 1 means that
the stack is faster. "Of peak" counts matrix products only; the peak is the rate of one large
product, measured just before.
"""

import argparse
import dataclasses
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from typing import Any

import torch

from mnist_seq.config import Config
from mnist_seq.models import Shape, build_classifier
from mnist_seq.notebook import compose
from mnist_seq.tasks import task_of
from mnist_seq.tasks.batches.split import split
from mnist_seq.tasks.batches.task_data import TaskData
from mnist_seq.tasks.examples import Examples, Part
from mnist_seq.training.batched.stack import Stack
from mnist_seq.training.device import device_name, open_device
from mnist_seq.training.loop.learner import Learner
from mnist_seq.training.loop.program import Program, Single
from mnist_seq.training.schedules import epoch_rates
from mnist_seq.training.seeds import derive, epoch_order

CELLS, HIDDEN, RUNS = ("lstm", "gru", "rnn"), (32, 64, 128), (1, 4, 16, 64, 256)
BLOCKS = {"lstm": 4, "gru": 3, "rnn": 1}  # matrices of H rows
BATCH, STEPS_A_RUN = 64, 860  # an epoch of MNIST's 55,000 training images
NUM_IMAGES = 1_024


@dataclasses.dataclass(frozen=True)
class Case:
    """The runs that one process trains."""

    cell: str
    hidden: int
    num_runs: int
    device: str
    seconds: float


def learner(config: Config, examples: Examples, device: torch.device) -> Learner:
    """A new run on random images."""
    data = TaskData(
        task_of(config.data),
        examples,
        split=split(NUM_IMAGES, valid=0, limit=None, generator_seed=derive(config.seed, "split")),
        device=device,
    )
    model = build_classifier(
        config.model,
        shape=Shape(data.time_steps, data.input_size),
        num_outputs=10,
        rnn_seed=derive(config.seed, "init/rnn"),
        head_seed=derive(config.seed, "init/head"),
    ).to(device)
    return Learner(config, data, model, torch.Generator(device).manual_seed(config.seed))


def program(case: Case) -> Program:
    """The runs of a case as one program, at the beginning of an epoch."""
    config = compose(
        f"model={case.cell}", f"model.hidden={case.hidden}", f"device={case.device}", "tracker=none"
    )
    device = open_device(config.device)
    pictures = torch.randint(256, (NUM_IMAGES, 28, 28), dtype=torch.uint8)
    labels = torch.randint(10, (NUM_IMAGES,))
    train, test = ((pictures[:n].numpy(), labels[:n].numpy()) for n in (NUM_IMAGES, 1))
    examples = Examples(Part(*train), Part(*test))
    configs = [config.model_copy(update={"seed": seed}) for seed in range(case.num_runs)]
    learners = [learner(each, examples, device) for each in configs]
    made: Program = Single(learners[0], None) if case.num_runs == 1 else Stack(
        learners, [None] * case.num_runs
    )  # fmt: skip
    per_epoch = NUM_IMAGES // BATCH
    orders = [epoch_order(seed, 0, NUM_IMAGES, order="shuffled") for seed in range(case.num_runs)]
    rates = epoch_rates(configs, 0, num_steps=STEPS_A_RUN, steps_per_epoch=per_epoch)
    made.begin_epoch(0, torch.stack(orders), rates)
    return made


def seconds_a_step(case: Case, barrier: Barrier | None = None) -> float:
    """Median over three rounds; with a barrier, all processes start each round together."""
    made = program(case)
    now = clock(case.device)
    number = 0

    def steps(count: int) -> float:
        nonlocal number
        begun = now()
        for _ in range(count):
            made.step(number % (NUM_IMAGES // BATCH))
            number += 1
        made.loss_sums.tolist()  # wait for the device
        return (now() - begun) / count

    steps(1 if case.device == "cpu" else 5)  # after 5 steps the CUDA graph is captured
    count = max(1, round(case.seconds / 3 / steps(1)))
    times = []
    for _ in range(3):
        if barrier is not None:
            barrier.wait()
        times.append(steps(count))
    return statistics.median(times)


def clock(device: str) -> Callable[[], float]:
    """The clock for work on a device: CPU time on a CPU, wall time on a GPU."""
    return time.process_time if device == "cpu" else time.perf_counter


def _report(case: Case, barrier: Barrier, queue: Any) -> None:
    queue.put(seconds_a_step(case, barrier))


def side_by_side(case: Case, num_processes: int) -> float:
    """Steps of runs per second, summed over `num_processes` processes that each train the case."""
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(num_processes), context.Queue()
    processes = [
        context.Process(target=_report, args=(case, barrier, queue)) for _ in range(num_processes)
    ]
    for process in processes:
        process.start()
    each = [queue.get() for _ in processes]
    for process in processes:
        process.join()
    return sum(case.num_runs / seconds for seconds in each)


def peak(device: torch.device, size: int) -> float:
    """FLOP/s of a product of two large float32 matrices; one thread on a CPU."""
    a, b = torch.rand(size, size, device=device), torch.rand(size, size, device=device)

    now = clock(device.type)

    def product() -> float:
        begun = now()
        (a @ b)[0, 0].item()
        return now() - begun

    product()
    return 2 * size**3 / min(product() for _ in range(5))


def flops(cell: str, hidden: int) -> int:
    """FLOP of the matrix products in one step of one run; backward has twice those of forward."""
    one_way = 2 * BATCH * (28 * BLOCKS[cell] * hidden * (28 + hidden) + 10 * hidden)
    return 3 * one_way


def parsed() -> argparse.Namespace:
    """The command's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--cells", nargs="+", default=CELLS, choices=CELLS)
    parser.add_argument("--hidden", nargs="+", type=int, default=HIDDEN)
    parser.add_argument("--runs", nargs="+", type=int, default=RUNS)
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds of one measurement")
    parser.add_argument(
        "--pool", type=int, default=0, help="pooled runs at once; 0: all cores, or 4 on a GPU"
    )
    parser.add_argument("--quick", action="store_true", help="R = 1, 16, 64, half a second each")
    options = parser.parse_args()
    if options.quick:
        options.runs, options.seconds = [r for r in options.runs if r in (1, 16, 64)], 0.5
    return options


def main() -> None:
    """Print a line for each cell, size and number of runs."""
    options = parsed()
    device = open_device(compose(f"device={options.device}", "tracker=none").device)
    is_cpu = device.type == "cpu"
    cores = len(os.sched_getaffinity(0))
    num_pooled = options.pool or (cores if is_cpu else 4)
    most = peak(device, 1024 if is_cpu else 8192)
    print(f"{device_name(device)}, {platform.processor() or platform.machine()}, {cores} cores, "
          f"torch {torch.__version__}, CUDA {torch.version.cuda}; load {os.getloadavg()[0]:.1f}; "
          f"one product: {most / 1e9:,.0f} GFLOP/s; pool: {num_pooled} runs at once")  # fmt: skip
    print(f"| {'cell':<9} | {'R':>4} | {'ms a step':>9} | {'runs an hour':>12} | {'to serial':>9} "
          f"| {'to pool':>7} | {'of peak':>7} |")  # fmt: skip
    print(f"| --- | {'---: | ' * 5}---: |")
    for cell in options.cells:
        for hidden in options.hidden:
            measure(cell, hidden, options, device, num_pooled, most)


def measure(
    cell: str,
    hidden: int,
    options: argparse.Namespace,
    device: torch.device,
    num_pooled: int,
    most: float,
) -> None:
    """Print the lines of one cell and size."""
    alone = Case(cell, hidden, 1, device.type, options.seconds)
    pooled = side_by_side(alone, num_pooled)
    for num_runs in options.runs:
        case = dataclasses.replace(alone, num_runs=num_runs)
        serial = seconds_a_step(alone)  # measured again, so that other load slows both
        seconds = serial if num_runs == 1 else seconds_a_step(case)
        is_cpu = device.type == "cpu"
        whole = side_by_side(case, num_pooled) if is_cpu else num_runs / seconds
        share = num_runs * flops(cell, hidden) / seconds / most
        print(f"| {f'{cell} {hidden}':<9} | {num_runs:>4} | {1e3 * seconds:>9.2f} "
              f"| {whole * 3600 / STEPS_A_RUN:>12,.0f} | {num_runs * serial / seconds:>9.2f} "
              f"| {whole / pooled:>7.2f} | {share:>7.1%} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
