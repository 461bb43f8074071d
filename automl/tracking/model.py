"""The winner as a model of MLflow's: logged on the search's run, registered, `champion` of its name."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from automl.tracking.runs import MirrorRun

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models.signature import ModelSignature

ALIAS = "champion"
_URI_TAG = "automl.model_uri"
_TRIAL_TAG = "automl.model_trial"


def log_best(
    client: MlflowClient,
    uri: str,
    parent: MirrorRun,
    model: Any,
    trial: int,
    registered_name: str,
    metadata: dict[str, Any],
    requirements: Sequence[str],
) -> str:
    """Logs and registers a model once; a second call for the same trial returns the first one's address.

    Args:
        client: MLflow's client.
        uri: Address of the store.
        parent: The search's run.
        model: The loaded Keras model.
        trial: The trial it comes from.
        registered_name: Name in the registry.
        metadata: Plain data to stand in the model's `MLmodel` file.
        requirements: What pip must install beside Keras to load it.

    Returns:
        Its address, `models:/m-...`.
    """
    from mlflow.models import Model

    logged = parent.tags.get(_URI_TAG)
    if logged and parent.tags.get(_TRIAL_TAG) == str(trial):
        return logged
    import keras
    import mlflow

    experiment_id = client.get_run(parent.run_id).info.experiment_id
    entity = client.create_logged_model(
        experiment_id, name="model", source_run_id=parent.run_id, params=parent.params, model_type="keras"
    )
    backend = keras.config.backend()
    pins = [f"{name}=={importlib.metadata.version(name)}" for name in ("mlflow", "keras", backend, "numpy")]
    with _tracking_uri(uri):
        # Model.log is what mlflow.keras.log_model calls; only it takes the run, so none need be active in this thread.
        # pip_requirements: else MLflow loads the model in a child process to infer them, 13 s. input_example: broken.
        Model.log(
            artifact_path=None,
            flavor=mlflow.keras,
            model=model,
            model_id=entity.model_id,
            run_id=parent.run_id,
            signature=signature(model),
            pip_requirements=[*pins, *requirements],
            metadata={**metadata, "trial": trial, "backend": backend},
        )
    address = f"models:/{entity.model_id}"
    _register(client, entity.model_id, parent.run_id, registered_name)
    # Last: an interruption before it logs the model again, which is a version too many and no champion too few.
    parent.write(tags={_URI_TAG: address, _TRIAL_TAG: trial})
    return address


def signature(model: Any) -> ModelSignature:
    """Returns what a Keras model takes and yields, float32, for a batch of any size."""
    import numpy as np
    from mlflow.models.signature import ModelSignature
    from mlflow.types.schema import Schema, TensorSpec

    def schema(shape: tuple[int | None, ...]) -> Schema:
        # None is an axis of any length: the batch, and the steps of a series.
        return Schema([TensorSpec(np.dtype("float32"), tuple(-1 if size is None else size for size in shape))])

    return ModelSignature(schema(model.input_shape), schema(model.output_shape))


def _register(client: MlflowClient, model_id: str, run_id: str, registered_name: str) -> None:
    from mlflow.exceptions import MlflowException

    # MLflow takes no path separators in a model's name.
    name = re.sub(r"[/:\\]", "-", registered_name)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = client.get_logged_model(model_id).artifact_location
    version = client.create_model_version(name, source, run_id=run_id, model_id=model_id)
    client.set_registered_model_alias(name, ALIAS, version.version)
    client.set_logged_model_tags(model_id, {"automl.registered": f"{name}/{version.version}"})


@contextmanager
def _tracking_uri(uri: str) -> Iterator[None]:
    """Points MLflow's global address at our store for as long as a call needs it."""
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)
