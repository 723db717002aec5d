"""Sweeps of recurrent sequence models on MNIST, each compared with the LSTM baseline."""

__version__ = "0.1.0"
