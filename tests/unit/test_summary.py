import keras
import pytest

from automl.model.summary import summary


def model(shape, *layers):
    x = entrance = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return keras.Model(entrance, x)


@pytest.mark.parametrize(
    ("shape", "layer", "parameters", "macs", "steps"),
    [
        ((10,), lambda: keras.layers.Dense(4), 44, 40, 0),
        ((5, 10), lambda: keras.layers.Dense(4), 44, 200, 0),
        ((8, 8, 3), lambda: keras.layers.Conv2D(4, 3, padding="same"), 112, 64 * 108, 0),
        ((8, 8, 3), lambda: keras.layers.Conv2D(4, 3, strides=2), 112, 9 * 108, 0),
        ((9, 3), lambda: keras.layers.Conv1D(4, 3), 40, 7 * 36, 0),
        ((8, 8, 3), lambda: keras.layers.DepthwiseConv2D(3, padding="same"), 30, 64 * 27, 0),
        ((8, 8, 3), lambda: keras.layers.SeparableConv2D(5, 3, padding="same"), 47, 64 * (27 + 15), 0),
        ((8, 8, 3), lambda: keras.layers.Conv2DTranspose(4, 2, strides=2), 52, 64 * 48, 0),
        ((7, 3), lambda: keras.layers.SimpleRNN(4), 32, 7 * 28, 7),
        ((7, 3), lambda: keras.layers.LSTM(4, return_sequences=True), 128, 7 * 4 * 28, 7),
        ((7, 3), lambda: keras.layers.Bidirectional(keras.layers.LSTM(4)), 256, 2 * 7 * 4 * 28, 7),
        ((7, 5, 3), lambda: keras.layers.ConvLSTM1D(4, 3, padding="same"), 352, 7 * 5 * 16 * 21, 7),
        ((8, 8, 3), lambda: keras.layers.BatchNormalization(), 12, 0, 0),
        ((8, 8, 3), lambda: keras.layers.Flatten(), 0, 0, 0),
    ],
)
def test_a_layer_costs_its_kernels_times_its_places(shape, layer, parameters, macs, steps):
    found = summary(model(shape, layer()))
    assert [each.kind for each in found.layers] == [type(layer()).__name__]
    assert (found.layers[0].parameters, found.macs, found.steps) == (parameters, macs, steps)


def test_a_model_is_the_sum_of_its_layers():
    found = summary(model((4,), keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dense(2)))
    assert found.parameters == 15 + 12 + 8
    assert found.trainable_parameters == 15 + 6 + 8
    assert [layer.output for layer in found.layers] == [(3,), (3,), (2,)]
    assert found.memory_mb(10) == 4 * (4 * 29 + 8 * 10) / 1e6


def test_activations_of_half_precision_take_half_the_memory():
    found = summary(model((4,), keras.layers.Dense(3, dtype="mixed_bfloat16"), keras.layers.Dense(2)))
    assert found.memory_mb(10) == (4 * 4 * 23 + (2 * 3 + 4 * 2) * 10) / 1e6
