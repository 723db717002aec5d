"""Measures the time of a training step of every cell, relative to `nn.LSTM`, on one CPU thread.

    python benchmarks/cells.py
    python benchmarks/cells.py --only NIG CIFG mgu
    python benchmarks/cells.py --sequence pixels --steps 1
    python benchmarks/cells.py --kernel native --only mingru lru --sequence pixels --steps 1
    THP_MEM_ALLOC_ENABLE=0 python benchmarks/cells.py --sequence wide --steps 1

One step is forward, backward and Adam on 64 sequences of 28 x 28, of 784 pixels, or of 784 x 64
(wide), with 64 hidden units, without blocks. Each cell alternates with `nn.LSTM`, so that other
load on the machine slows both, and the time is that of this process alone. The result is the median
of the ratios. With `--kernel native` the cells' layers are compiled, where they can be, and torch
computes `nn.LSTM` still. Memory comes in large pages, as in a run, unless the environment says
otherwise.
"""

import argparse
import contextlib
import os
import statistics
import time
from collections.abc import Callable

import torch

from mnist_seq import native
from mnist_seq.command import LARGE_PAGES, use_large_pages
from mnist_seq.config.paths import options
from mnist_seq.config.reference import default_model
from mnist_seq.config.schema import Adam, Model
from mnist_seq.models import Shape, build_classifier
from mnist_seq.models.kernels.compiled import using
from mnist_seq.tasks import Spec
from mnist_seq.tasks.batches.batch import Batch
from mnist_seq.training.loop.step import train_step
from mnist_seq.training.optimizers import build_optimizer

BATCH, HIDDEN = 64, 64
SHAPES = {"rows": Shape(28, 28), "pixels": Shape(784, 1), "wide": Shape(784, 64)}
LSTM_OPTIONS: dict[str, dict[str, object]] = {
    "NIG": {"input_gate": False},
    "NFG": {"forget_gate": False},
    "NOG": {"output_gate": False},
    "NIAF": {"input_activation": False},
    "NOAF": {"output_activation": False},
    "CIFG": {"cifg": True},
    "peepholes": {"peepholes": True},
    "FGR": {"full_gate_recurrence": True},
    "layer norm": {"layer_norm": True},
    "zoneout": {"zoneout_cell": 0.15, "zoneout_hidden": 0.15},
}


def stepper(model: Model, shape: Shape, kernel: str = "torch") -> Callable[[], None]:
    """A function that takes one training step of a new net."""
    functions = native.library().functions if kernel == "native" else None
    net = build_classifier(model, shape=shape, num_outputs=10, rnn_seed=0, head_seed=1)
    adam = Adam(name="adam", lr=0.01, weight_decay=0.0, betas=[0.9, 0.999], eps=1e-8, amsgrad=False)
    optimizer = build_optimizer(
        adam, net.parameter_groups(), dict(net.named_parameters()), torch.device("cpu")
    )
    x = torch.rand(shape.time_steps, BATCH, shape.input_size)
    batch = Batch(x, torch.randint(10, (BATCH,)))
    spec = Spec("vector", shape.input_size, "class", 10, shape.time_steps)

    def step() -> None:
        with using(functions) if functions else contextlib.nullcontext():
            train_step(net, optimizer, batch, spec=spec, clip_norm=float("inf"), precision="fp32")

    return step


def milliseconds(step: Callable[[], None], num_steps: int) -> float:
    """Mean time of a step over `num_steps` steps."""
    start = time.process_time()
    for _ in range(num_steps):
        step()
    return (time.process_time() - start) / num_steps * 1000


def main() -> None:
    """Print one line for each cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[], help="cells or LSTM options by name")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--kernel", choices=("torch", "native"), default="torch")
    parser.add_argument("--sequence", choices=SHAPES, default="rows")
    args = parser.parse_args()
    use_large_pages()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    shape = SHAPES[args.sequence]
    models = {f"lstm, {name}": default_model("lstm", **o) for name, o in LSTM_OPTIONS.items()}
    models |= {name: default_model(name, block="none", after="none") for name in options("model")}
    baseline = stepper(default_model("lstm", hidden=HIDDEN), shape)
    print(f"ms a step of batch {BATCH}, hidden {HIDDEN}, {args.sequence}, one thread, "
          f"{args.kernel}, torch {torch.__version__}, {LARGE_PAGES}={os.environ.get(LARGE_PAGES)}; "
          f"median of {args.repeats} x {args.steps} steps, alternating")  # fmt: skip
    print(f"{'cell':<18}{'nn.LSTM':>9}{'cell':>9}{'ratio':>8}")
    for name, model in models.items():
        if args.only and name.removeprefix("lstm, ") not in args.only:
            continue
        step = stepper(model.model_copy(update={"hidden": HIDDEN}), shape, args.kernel)
        for warm in (baseline, step):
            milliseconds(warm, max(1, args.steps // 6))
        times = [
            (milliseconds(baseline, args.steps), milliseconds(step, args.steps))
            for _ in range(args.repeats)
        ]
        a, b = (statistics.median(column) for column in zip(*times, strict=True))
        ratio = statistics.median(own / lstm for lstm, own in times)
        print(f"{name:<18}{a:>9.2f}{b:>9.2f}{ratio:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
