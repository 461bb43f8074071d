"""The batches of a small part as a pipeline of TensorFlow's own, which waits for no Python between two steps.

Imports Keras: for workers only.
"""

from __future__ import annotations

from typing import Any

import keras

from automl.feed import Feed

LIMIT_MB = 64
"""Largest part that each worker holds; a larger one is read from the memory map that all share."""


def of(feed: Feed) -> Any:
    """Returns what `fit` reads fastest: the batches of a feed, in its order.

    On TensorFlow, Keras reads a `PyDataset` by a thread, a queue, and a call of Python for each batch: a quarter of an
    epoch of a small network. JAX and PyTorch call Python for each step anyway.

    Args:
        feed: Told by its clock which epoch begins, whichever of the two is read.

    Returns:
        A `tf.data.Dataset`; the feed itself on another backend, if its batches are mixed, or if it is too large.
    """
    held = feed.held(LIMIT_MB) if keras.config.backend() == "tensorflow" else None
    if held is None:
        return feed
    import tensorflow as tf

    with tf.device("CPU"):
        columns = tuple(tf.constant(column) for column in held)

    def batches(whole: Any) -> Any:
        return tf.data.Dataset.from_tensor_slices(whole).batch(feed.batch_size)

    def epoch(_: Any) -> Any:
        order = tf.ensure_shape(tf.numpy_function(feed.begin_epoch, [], tf.int64), (feed.size,))
        return batches(tuple(tf.gather(column, order) for column in columns))

    if not feed.is_shuffled:
        return batches(columns)
    # One call of Python an epoch, and one gather: a gather for each batch takes as long as the queue.
    shuffled = tf.data.Dataset.range(1).flat_map(epoch)
    return shuffled.apply(tf.data.experimental.assert_cardinality(len(feed)))
