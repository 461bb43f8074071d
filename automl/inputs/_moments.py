"""What inputs learn from the training part, in one pass over memory-mapped arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from automl.inputs import Rows

CHUNK_BYTES = 32 * 2**20
"""Float64 working memory of one step of the pass."""


@dataclass(frozen=True)
class Moments:
    """Per channel (last axis), NaN left out: lists of float64.

    Args:
        mean: Mean; 0 for a channel without data.
        deviation: Standard deviation; 1 for a channel that never changes, so that dividing by it is safe.
        low: Smallest value.
        high: Largest value.
    """

    mean: list[float]
    deviation: list[float]
    low: list[float]
    high: list[float]


def moments(x: Rows) -> Moments:
    """Learns the moments of every channel, a chunk of examples at a time: the array may be larger than memory.

    Source: Chan et al. 1983, https://doi.org/10.1080/00031305.1983.10483115, equation 2.1 (merging two variances).
    """
    channels = x.shape[-1]
    count, mean, scatter = np.zeros(channels), np.zeros(channels), np.zeros(channels)
    low, high = np.full(channels, np.inf), np.full(channels, -np.inf)
    rows = max(1, CHUNK_BYTES // max(1, 8 * int(np.prod(x.shape[1:]))))
    for start in range(0, len(x), rows):
        values = np.asarray(x[start : start + rows], dtype=np.float64).reshape(-1, channels)
        there = ~np.isnan(values)
        n = there.sum(axis=0)
        here = np.where(there, values, 0.0).sum(axis=0) / np.maximum(n, 1)
        total = np.maximum(count + n, 1)
        shift = here - mean
        spread = np.square(np.where(there, values - here, 0.0)).sum(axis=0)
        scatter += spread + np.square(shift) * count * n / total
        mean += shift * n / total
        count += n
        low = np.minimum(low, np.where(there, values, np.inf).min(axis=0))
        high = np.maximum(high, np.where(there, values, -np.inf).max(axis=0))
    empty = count == 0
    deviation = np.sqrt(scatter / np.maximum(count, 1))
    # A constant channel keeps a trace of rounding, which must not be blown up to unit variance.
    flat = deviation <= 1e-7 * np.maximum(1.0, np.abs(mean))
    return Moments(
        mean.tolist(),
        np.where(flat, 1.0, deviation).tolist(),
        np.where(empty, 0.0, low).tolist(),
        np.where(empty, 0.0, high).tolist(),
    )
