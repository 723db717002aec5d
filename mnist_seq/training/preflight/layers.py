"""Compares the compiled layers of a cell with torch's, once on each machine."""

import contextlib
import hashlib
import json
import math

from mnist_seq import native
from mnist_seq.config import Config
from mnist_seq.config.schema import Model
from mnist_seq.runs.code_identity import code_hash

HIDDEN = (20, 36)  # no whole vectors; fewer units make the sLSTM's norm amplify rounding


def check_layers(library: native.Library, config: Config) -> None:
    """Refuse a library whose layers of this cell have other gradients than torch's.

    Args:
        config: with `device.kernel=native`.

    Raises:
        native.Unavailable: says so.
    """
    model = config.model
    own = {k: v for k, v in model.options().items() if k not in model.initial_names}
    words = json.dumps([code_hash(config), own], sort_keys=True)
    digest = hashlib.sha256(words.encode()).hexdigest()[:12]
    native.once(library, f"{model.name}-{digest}", lambda: _check(library, model))


def _check(library: native.Library, model: Model) -> None:
    if not farthest(library, model) <= native.WORST:
        raise native.Unavailable(
            f"native layers are not used: their gradients of {model.name} are not torch's"
        )


def farthest(library: native.Library, model: Model) -> float:
    """Largest relative distance of a gradient of two layers of a cell from torch's."""
    import torch  # imported here: a plan finds a library that was checked, without torch

    from mnist_seq.models import Shape
    from mnist_seq.models.blocks import build_layers
    from mnist_seq.models.kernels.compiled import using

    alone = {"layers": 2, "below": (), "bidirectional": False, "dropout": 0.0, "block": "none"}
    multiple, distances = model.hidden_multiple(), [0.0]
    x = torch.linspace(-2, 2, 5 * 2 * 3).sin().view(5, 2, 3)
    for hidden in dict.fromkeys(-(-size // multiple) * multiple for size in HIDDEN):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            layers = build_layers(Shape(5, 3), model.model_copy(update={**alone, "hidden": hidden}))
        found = []
        for lend in (contextlib.nullcontext(), using(library.functions)):
            with torch.enable_grad(), lend:
                y = layers(x, None, ())[0]
                # unlike the sum of squares, it has a gradient behind a norm
                loss = (y * torch.linspace(-1, 2, y.numel()).cos().view_as(y)).sum()
            found.append(torch.autograd.grad(loss, list(layers.parameters())))
        distances += [
            float((own - by_torch).norm()) / (1 + float(by_torch.norm()))
            for by_torch, own in zip(*found, strict=True)
        ]
    return math.nan if any(map(math.isnan, distances)) else max(distances)
