"""Trains the tutorial's LSTM on MNIST as a usual Hydra app, for `benchmarks/sweep.py`.

It has a `DataLoader` with `ToTensor`, Adam, and every 50 steps an evaluation on the first 2,000
test images. Its loop shares no code with this package.
"""

import hydra
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(cfg: DictConfig) -> float:
    """Train one run; returns the last test accuracy."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader

    from mnist_seq.tasks.sources.torchvision_compat import import_torchvision_datasets

    datasets = import_torchvision_datasets()  # works where torchvision's operators do not load
    from torchvision import transforms

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(28, cfg.hidden, 1, batch_first=True)
            self.out = nn.Linear(cfg.hidden, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            outputs, _ = self.rnn(x)
            return self.out(outputs[:, -1, :])

    if cfg.threads != "auto":
        torch.set_num_threads(cfg.threads)
    torch.manual_seed(cfg.seed)
    train = datasets.MNIST(cfg.data, train=True, transform=transforms.ToTensor())
    test = datasets.MNIST(cfg.data, train=False)
    test_x = test.data.float()[:2000] / 255.0
    test_y = test.targets[:2000]
    loader = DataLoader(train, batch_size=cfg.batch_size, shuffle=True)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=cfg.lr)
    loss_func = nn.CrossEntropyLoss()
    accuracy = 0.0
    for _ in range(cfg.epochs):
        for step, (x, y) in enumerate(loader):
            loss = loss_func(net(x.view(-1, 28, 28)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 50 == 0:
                predicted = net(test_x).max(1)[1]
                accuracy = float((predicted == test_y).float().mean())
    print(f"seed {cfg.seed}: test accuracy {100 * accuracy:.2f} %", flush=True)
    return accuracy


if __name__ == "__main__":
    main()
