"""Measures training steps against the loop of the usual tutorial, on one CPU thread.

    python benchmarks/epoch.py data.root=../shared/data
    python benchmarks/epoch.py data.root=../shared/data --long    # 784 time steps, an LSTM of 128

All train the same net on the same 60,000 images, with Adam 0.01 and batch 64: the tutorial's loop,
with torch's cell, `DataLoader`, `ToTensor` and a `view` of each batch, and our runs with
`device.kernel=torch` and `native`. They take turns in one process, so that other load on the
machine slows all of them. A ratio is the median over the turns. It prints a table for RESULTS.md.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from mnist_seq import compose, native
from mnist_seq.config import Config
from mnist_seq.models import Shape, build_classifier
from mnist_seq.system import cpu_name
from mnist_seq.tasks import locate, task_of
from mnist_seq.tasks.batches.split import split
from mnist_seq.tasks.batches.task_data import TaskData
from mnist_seq.tasks.sources.torchvision_compat import import_torchvision_datasets
from mnist_seq.training.loop.learner import Learner
from mnist_seq.training.loop.native import Native
from mnist_seq.training.loop.program import Program, Single
from mnist_seq.training.schedules import epoch_rates
from mnist_seq.training.seeds import epoch_order

BATCH, LR = 64, 0.01
CPU = torch.device("cpu")


class TutorialNet(nn.Module):
    """The tutorial's net: a recurrent layer read at its last time step, and a linear layer."""

    def __init__(self, cell: str, hidden: int, input_size: int) -> None:
        super().__init__()
        self.rnn = getattr(nn, cell.upper())(input_size, hidden, 1, batch_first=True)
        self.out = nn.Linear(hidden, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs, _ = self.rnn(x)
        return self.out(outputs[:, -1, :])


def by_tutorial(cell: str, hidden: int, root: str, num_steps: int, shape: Shape) -> float:
    """Seconds a step of the tutorial's training loop."""
    datasets = import_torchvision_datasets()
    from torchvision import transforms

    data = datasets.MNIST(root, train=True, transform=transforms.ToTensor(), download=False)
    loader = DataLoader(data, batch_size=BATCH, shuffle=True)
    net = TutorialNet(cell, hidden, shape.input_size)
    optimizer = torch.optim.Adam(net.parameters(), lr=LR)
    loss_func = nn.CrossEntropyLoss()
    start = time.perf_counter()
    for step, (x, y) in enumerate(loader):
        if step == num_steps:
            break
        output = net(x.view(-1, *shape))
        loss = loss_func(output, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return (time.perf_counter() - start) / num_steps


def by_us(kind: type[Single], config: Config, data: TaskData, num_steps: int) -> float:
    """Seconds a step of one of our programs, which a new run steps."""
    shape = Shape(data.time_steps, data.input_size)
    net = build_classifier(config.model, shape=shape, num_outputs=10, rnn_seed=0, head_seed=1)
    program: Program = kind(Learner(config, data, net, torch.Generator()), None)
    start = time.perf_counter()
    order = epoch_order(0, 0, data.num_train, order="shuffled")
    steps = -(-data.num_train // BATCH)
    program.begin_epoch(
        0, order[None], epoch_rates([config], 0, num_steps=steps, steps_per_epoch=steps)
    )
    for step in range(num_steps):
        program.step(step)
    return (time.perf_counter() - start) / num_steps


def measure(cell: str, hidden: int, root: str, *words: str, repeats: int, steps: int) -> str:
    """One line of the table."""
    config = compose(f"model={cell}", f"model.hidden={hidden}", "data=mnist", *words)
    task = task_of(config.data)
    located = locate(task, Path(root))
    if not located.files:
        raise SystemExit(f"MNIST is not under {root}: give its folder as data.root=...")
    examples = task.load(located)
    parts = split(60_000, valid=0, limit=None, generator_seed=0)
    data = TaskData(task, examples, split=parts, device=CPU)
    shape = Shape(data.time_steps, data.input_size)
    for kind in (Single, Native):
        by_us(kind, config, data, 4)  # first calls build oneDNN's primitives
    turns = []
    for _ in range(repeats):
        a = by_tutorial(cell, hidden, root, steps, shape)
        turns.append((a, *(by_us(kind, config, data, steps) for kind in (Single, Native))))
    tutorial, by_torch, by_native = (
        1000 * statistics.median(of) for of in zip(*turns, strict=True)
    )
    ratios = [[turn[0] / turn[k] for turn in turns] for k in (1, 2)]
    shown = [f"{statistics.median(r):.2f} ({min(r):.2f}-{max(r):.2f})" for r in ratios]
    return (
        f"| {cell} {hidden} | {tutorial:.2f} | {by_torch:.2f} | {by_native:.2f} | "
        f"{shown[0]} | {shown[1]} |"
    )


def main() -> None:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", default="data", help="data.root=... or the folder")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=0, help="of a turn; 0: 200, or 4 with --long")
    parser.add_argument("--cells", nargs="+", default=["lstm", "gru", "rnn"])
    parser.add_argument("--hidden", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--long", action="store_true", help="pixels, an LSTM of 128")
    options = parser.parse_args()
    root = options.root.removeprefix("data.root=")
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    cells, sizes, words, steps = options.cells, options.hidden, (), options.steps or 200
    if options.long:
        cells, sizes, words = ["lstm"], [128], ("data.sequence=pixels",)
        steps = options.steps or 4
    print(f"{cpu_name()}, one thread, batch {BATCH}, torch {torch.__version__}, native vectors of "
          f"{native.library().lanes} floats; {options.repeats} turns of {steps} steps")  # fmt: skip
    print("\n| ms a step | tutorial | torch | native | tutorial / torch | tutorial / native |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for cell in cells:
        for hidden in sizes:
            line = measure(cell, hidden, root, *words, repeats=options.repeats, steps=steps)
            print(line, flush=True)


if __name__ == "__main__":
    main()
