"""Declare a CNN or RNN search space in YAML, search it, track it in MLflow, export the best model."""

__version__ = "0.1.0"
