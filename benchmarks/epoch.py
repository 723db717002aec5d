"""Measures one training epoch against the loop of the usual tutorial, on one CPU thread.

    python benchmarks/epoch.py data.root=../shared/data

Both train the same net on the same 60,000 images, with Adam 0.01 and batch 64. The tutorial's loop
uses torch's cell, `DataLoader` and `ToTensor`, and calls `view` on each batch. They alternate, so
that other load on the machine slows both. The result is the ratio of the medians.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from mnist_seq.config.reference import default_data, default_model
from mnist_seq.config.schema import Adam
from mnist_seq.models import Shape, build_classifier
from mnist_seq.tasks import locate, task_of
from mnist_seq.tasks.batches.split import split
from mnist_seq.tasks.batches.task_data import TaskData
from mnist_seq.tasks.sources.torchvision_compat import import_torchvision_datasets
from mnist_seq.training.loop.step import train_step
from mnist_seq.training.optimizers import build_optimizer
from mnist_seq.training.seeds import epoch_order

BATCH, HIDDEN, LR = 64, 64, 0.01
CPU = torch.device("cpu")


class TutorialNet(nn.Module):
    """The tutorial's net: a recurrent layer read at its last time step, and a linear layer."""

    def __init__(self, cell: str) -> None:
        super().__init__()
        self.rnn = getattr(nn, cell.upper())(28, HIDDEN, 1, batch_first=True)
        self.out = nn.Linear(HIDDEN, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs, _ = self.rnn(x)
        return self.out(outputs[:, -1, :])


def tutorial_epoch(cell: str, root: str, num_steps: int) -> float:
    """Seconds of the tutorial's training loop."""
    datasets = import_torchvision_datasets()
    from torchvision import transforms

    data = datasets.MNIST(root, train=True, transform=transforms.ToTensor(), download=False)
    loader = DataLoader(data, batch_size=BATCH, shuffle=True)
    net = TutorialNet(cell)
    optimizer = torch.optim.Adam(net.parameters(), lr=LR)
    loss_func = nn.CrossEntropyLoss()
    start = time.perf_counter()
    for step, (x, y) in enumerate(loader):
        if step == num_steps:
            break
        output = net(x.view(-1, 28, 28))
        loss = loss_func(output, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - start


def our_epoch(cell: str, data: TaskData, num_steps: int) -> float:
    """Seconds of our training steps over the same number of batches."""
    model = default_model(cell, hidden=HIDDEN)
    net = build_classifier(model, shape=Shape(28, 28), num_outputs=10, rnn_seed=0, head_seed=1)
    adam = Adam(name="adam", lr=LR, weight_decay=0.0, betas=[0.9, 0.999], eps=1e-8, amsgrad=False)
    optimizer = build_optimizer(adam, net.parameter_groups(), dict(net.named_parameters()), CPU)
    start = time.perf_counter()
    order = epoch_order(0, 0, data.num_train, order="shuffled")
    for step in range(num_steps):
        batch = data.train_batch(order[step * BATCH : (step + 1) * BATCH])
        train_step(net, optimizer, batch, spec=data.spec, clip_norm=float("inf"), precision="fp32")
    return time.perf_counter() - start


def main() -> None:
    """Print one line for each cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", default="data", help="data.root=... or the folder")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=938, help="938 are one epoch")
    options = parser.parse_args()
    root = options.root.removeprefix("data.root=")
    torch.set_num_threads(1)
    task = task_of(default_data("mnist"))
    examples = task.load(locate(task, Path(root)))
    parts = split(60_000, valid=0, limit=None, generator_seed=0)
    data = TaskData(task, examples, split=parts, device=CPU)
    print(f"seconds for {options.steps} steps of batch {BATCH}, hidden {HIDDEN}, one thread, "
          f"torch {torch.__version__}; median of {options.repeats}, alternating")  # fmt: skip
    print(f"{'cell':<6}{'tutorial':>10}{'ours':>10}{'ratio':>8}")
    for cell in ("lstm", "gru", "rnn"):
        our_epoch(cell, data, 20)  # first calls build oneDNN's primitives
        tutorial, ours = [], []
        for _ in range(options.repeats):
            tutorial.append(tutorial_epoch(cell, root, options.steps))
            ours.append(our_epoch(cell, data, options.steps))
        a, b = statistics.median(tutorial), statistics.median(ours)
        print(f"{cell:<6}{a:>10.2f}{b:>10.2f}{a / b:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
