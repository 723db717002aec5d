"""Muon: orthogonalised momentum for the matrices of the recurrent layers, AdamW for the rest.

Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/; the factor on the learning
rate that lets both parts share it: Liu et al. 2025, arXiv:2502.16982.
Differs: the gates of a cell that lie in one matrix are orthogonalised together.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from mnist_seq.training.optimizers import OwnOptimizer, bare_step

MATRIX, OTHER = "matrix", "other"


class Muon(OwnOptimizer):
    """`torch.optim.Muon` and `torch.optim.AdamW`, each on the groups of its kind.

    Args:
        params: groups with the key `kind`; weights without it are matrices.
        lr, weight_decay: of both parts.
        momentum, nesterov, ns_steps, adjust_lr_fn: of Muon.
        betas, eps: of AdamW.
    """

    stack_problem: ClassVar[str] = "it orthogonalises each matrix of each run by itself"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor,
        weight_decay: float,
        momentum: float,
        nesterov: bool,
        ns_steps: int,
        adjust_lr_fn: Literal["original", "match_rms_adamw"],
        betas: Sequence[float],
        eps: float,
    ) -> None:
        if not 1 <= ns_steps < 100:
            raise ValueError(f"ns_steps must be 1 to 99: {ns_steps}")
        self._muon: dict[str, Any] = {
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        self._adamw: dict[str, Any] = {"betas": betas, "eps": eps}
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "kind": MATRIX})
        self._divide()

    @staticmethod
    def kind_of(name: str, weight: Tensor) -> str:
        """Matrices of the recurrent layers, and what is not a matrix or is in the head."""
        return MATRIX if name.startswith("rnn.") and weight.ndim == 2 else OTHER

    def _divide(self) -> None:
        """Build both parts on the groups of this optimizer, which they share, and its state."""
        self._steps = []
        for kind in (MATRIX, OTHER):
            groups = [group for group in self.param_groups if group["kind"] == kind]
            if not groups:
                continue
            given = {key: self.defaults[key] for key in ("lr", "weight_decay")}
            part: torch.optim.Optimizer
            if kind == MATRIX:
                part = torch.optim.Muon(groups, **given, **self._muon)
            else:
                is_fused = groups[0]["params"][0].device.type in ("cpu", "cuda")
                part = torch.optim.AdamW(groups, **given, **self._adamw, fused=is_fused)
            part.state = self.state
            self._steps.append(bare_step(part))

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update all weights once."""
        for step in self._steps:
            step()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state; torch replaces the groups and the state that the parts share."""
        super().load_state_dict(state_dict)
        self._divide()
