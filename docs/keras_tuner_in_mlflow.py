"""Keras Tuner's own getting-started example, with every trial in MLflow: `python docs/keras_tuner_in_mlflow.py`.

`build_model` and the tuner's arguments stand as https://keras.io/keras_tuner/getting_started has them under "Tune the
model architecture". Two things differ: the tuner is `MlflowTuner` beside `RandomSearch`, and the data are the digits
that come with scikit-learn, so that nothing is downloaded. Takes half a minute on 2 cores.
"""

import keras
import keras_tuner
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import automl


def build_model(hp):
    model = keras.Sequential()
    model.add(layers.Flatten())
    # Tune the number of layers.
    for i in range(hp.Int("num_layers", 1, 3)):
        model.add(
            layers.Dense(
                # Tune number of units separately.
                units=hp.Int(f"units_{i}", min_value=32, max_value=512, step=32),
                activation=hp.Choice("activation", ["relu", "tanh"]),
            )
        )
    if hp.Boolean("dropout"):
        model.add(layers.Dropout(rate=0.25))
    model.add(layers.Dense(10, activation="softmax"))
    learning_rate = hp.Float("lr", min_value=1e-4, max_value=1e-2, sampling="log")
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=learning_rate),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


class RandomSearch(automl.MlflowTuner, keras_tuner.RandomSearch):
    """The one line that is ours: the same tuner, seen in MLflow."""


def main():
    """Searches, and says where to look."""
    digits = load_digits()
    x, y = digits.images[..., None] / 16, keras.utils.to_categorical(digits.target, 10)
    x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.2, random_state=0)

    tuner = RandomSearch(
        hypermodel=build_model,
        objective="val_accuracy",
        max_trials=3,
        executions_per_trial=2,
        overwrite=True,
        directory="my_dir",
        project_name="helloworld",
    )
    tuner.search(x_train, y_train, epochs=2, validation_data=(x_val, y_val))
    tuner.results_summary()

    print(f"\nMLflow run {tuner.run_id} of the experiment helloworld, and in it a run for every trial: automl ui")


if __name__ == "__main__":
    main()
