"""Engines that run jobs in place of the pool's own processes: joblib, Ray, submitit, Hydra's."""

from mnist_seq.sweep.engines.other import launch

__all__ = ["launch"]
