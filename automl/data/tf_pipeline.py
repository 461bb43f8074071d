"""The batches of a feed as a pipeline of TensorFlow's own.

Imports Keras: for workers only.
"""

from __future__ import annotations

from typing import Any

import keras

from automl.data.feed import Feed

LIMIT_MB = 64
"""Largest part that each worker holds; a larger one is read from the memory map that all share."""
AHEAD = 2
"""Batches that are read while the network is at one."""


def of(feed: Feed) -> Any:
    """Returns what `fit` and `evaluate` read: the batches of a feed, in its order.

    Keras reads a `PyDataset` on TensorFlow by `Dataset.from_generator`, and whoever calls that once has the C library
    give freed memory back to the system at once: from then on the process takes two to three times as long to train a
    convolutional network, whose every step asks for the same memory again (TensorFlow 2.21: "Memory patch applied:
    M_TRIM_THRESHOLD").

    Args:
        feed: Told by its clock which epoch begins, whichever of the two is read.

    Returns:
        A `tf.data.Dataset`; the feed itself on the other backends.
    """
    if keras.config.backend() != "tensorflow":
        return feed
    import tensorflow as tf

    # There is nothing to tune here, and a pipeline that ends waits for its tuner, which often sleeps on through it: for
    # 10 ms, then twice as long each time, so that an epoch of 11 seconds takes 20.5 (TensorFlow 2.21).
    options = tf.data.Options()
    options.autotune.enabled = False
    return _batches(feed).with_options(options)


def _batches(feed: Feed) -> Any:
    """Returns the pipeline of a feed: in its stored order, or each epoch in the order that the feed tells."""
    import tensorflow as tf

    held = feed.held(LIMIT_MB)
    batches = _cut(feed, held) if held else _called(feed)
    if not feed.is_shuffled:
        return batches(None)

    def epoch(_: Any) -> Any:
        order = tf.ensure_shape(tf.numpy_function(feed.begin_epoch, [], tf.int64), (feed.size,))
        with tf.control_dependencies([order]):
            return batches(order)

    shuffled = tf.data.Dataset.range(1).flat_map(epoch)
    return shuffled.apply(tf.data.experimental.assert_cardinality(len(feed)))


def _cut(feed: Feed, held: Any) -> Any:
    """Returns what cuts the batches of an epoch from examples in memory: one call of Python an epoch."""
    import tensorflow as tf

    with tf.device("CPU"):
        columns = tf.nest.map_structure(tf.constant, held)

    def batches(order: Any) -> Any:
        # One gather an epoch: one for each batch takes a small network a quarter longer.
        mixed = columns if order is None else tf.nest.map_structure(lambda column: tf.gather(column, order), columns)
        return tf.data.Dataset.from_tensor_slices(mixed).batch(feed.batch_size)

    return batches


def _called(feed: Feed) -> Any:
    """Returns what asks the feed for each batch of an epoch."""
    import tensorflow as tf

    like = feed[0]
    flat = tf.nest.flatten(like)
    dtypes, shapes = [column.dtype for column in flat], [(None, *column.shape[1:]) for column in flat]

    def read(index: Any) -> Any:
        columns = tf.numpy_function(lambda place: tf.nest.flatten(feed[int(place)]), [index], dtypes)
        return tf.nest.pack_sequence_as(like, list(map(tf.ensure_shape, columns, shapes)))

    return lambda _: tf.data.Dataset.range(len(feed)).map(read).prefetch(AHEAD)
