"""The winner as a model of MLflow's: logged on the search's run, registered, `champion` of its name."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from automl.records.objective import Champion
from automl.tracking import champion, limits
from automl.tracking.run import MirrorRun
from automl.tracking.tags import FINAL_TAG, FINAL_URI_TAG, MODEL_TRIAL_TAG, MODEL_URI_TAG, VERSION_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import Model
    from mlflow.models.signature import ModelSignature

CARD_LIMIT = 5000
"""Characters of a version's description that every store takes."""
_VERSIONS_TAG = "mlflow.modelVersions"
_LOADER = "automl_pyfunc"
"""The module beside this one that goes along with every model, under the name it has there."""


@dataclass(frozen=True)
class BestModel:
    """What is told of a winner's model beside the model.

    Args:
        trial: The trial it comes from.
        name: Its name in the registry.
        metadata: What a reader of the model needs, as plain data: `classes`, above all. Stands in its `MLmodel` file.
        requirements: What pip must install beside Keras to load it.
        card: What it is, how it was found, what it can do, as Markdown: the description of its version.
        metrics: What was measured of it, by its name with the part before it, as `test_accuracy`.
        tags: By which it is found again in the registry.
        champion: When it becomes its name's champion.
        final: Tells a finalized model of the trial from that of the trial itself; empty for that one.
        files: What lies beside its own, by their paths there; in `code`, what `automl_pyfunc` reads and answers with.
    """

    trial: int
    name: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    requirements: Sequence[str] = ()
    card: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    champion: Champion = "better"
    files: Mapping[str, bytes] = field(default_factory=dict)
    final: str = ""


def log_best(
    client: MlflowClient,
    parent: MirrorRun,
    trial: MirrorRun,
    model: Any,
    best: BestModel,
    say: Callable[[str], None],
) -> str:
    """Logs and registers a model once; a second call for the same trial returns the first one's address.

    Args:
        client: MLflow's client.
        parent: The search's run.
        trial: The run of its trial.
        model: The loaded Keras model.
        best: What is told of it.
        say: Told what became of the name's champion.

    Returns:
        Its address, `models:/m-...`.
    """
    from mlflow.entities import LoggedModelOutput

    known = None if best.final else logged(parent, best.trial)
    if known:
        return known
    marks = {FINAL_TAG: best.final} if best.final else {}
    run = client.get_run(parent.run_id)
    # The three steps of mlflow.keras.log_model, which would need an active run and MLflow's global address for them.
    entity = (None if best.final else _begun(client, run, best.trial)) or client.create_logged_model(
        run.info.experiment_id,
        name="model",
        source_run_id=parent.run_id,
        tags={MODEL_TRIAL_TAG: str(best.trial), **best.tags, **marks},
        params=dict(trial.params),
        model_type="keras",
    )
    if entity.status != "READY":
        with TemporaryDirectory() as folder:
            path = Path(folder, "model")
            _save(model, path, entity, parent.run_id, {**best.metadata, "trial": best.trial}, best.requirements)
            for name, content in best.files.items():
                (path / name).write_bytes(content)
            client.log_model_artifacts(entity.model_id, str(path))
        client.finalize_logged_model(entity.model_id, "READY")
    if entity.model_id not in {output.model_id for output in run.outputs.model_outputs}:
        client.log_outputs(parent.run_id, [LoggedModelOutput(entity.model_id, step=0)])
    _measured(client, entity, run, trial, best.metrics)
    address = f"models:/{entity.model_id}"
    champion.crown(client, _registered(client, entity, parent.run_id, best), best.champion, say)
    # Last: after an interruption before it, each step finds what it did and goes on from there.
    own = {FINAL_URI_TAG: address} if best.final else {MODEL_URI_TAG: address, MODEL_TRIAL_TAG: best.trial}
    parent.write(tags=own)
    return address


def logged(parent: MirrorRun, trial: int) -> str | None:
    """Returns the address of the model that stands on a search's run, if it comes from this trial."""
    return parent.tags.get(MODEL_URI_TAG) if parent.tags.get(MODEL_TRIAL_TAG) == str(trial) else None


def _begun(client: MlflowClient, run: Run, trial: int) -> LoggedModel | None:
    """Returns what an interrupted call left of the model of this trial."""
    begun = client.search_logged_models(
        [run.info.experiment_id], f"source_run_id = '{run.info.run_id}' AND tags.`{MODEL_TRIAL_TAG}` = '{trial}'"
    )
    return next((each for each in begun if FINAL_TAG not in each.tags), None)


def _measured(
    client: MlflowClient, entity: LoggedModel, run: Run, trial: MirrorRun, metrics: Mapping[str, float]
) -> None:
    """Has a logged model's page show what was measured of it, and on which data.

    MLflow adds what is measured of a model to a run as well: to its trial's, at the trial's end, where what it says
    of the validation part stands already.
    """
    from mlflow.entities import Metric

    data = next((each.dataset for each in run.inputs.dataset_inputs), None)
    known = {each.key for each in entity.metrics or ()}
    info = client.get_run(trial.run_id).info
    ended_ms = info.end_time or info.start_time
    named = {"dataset_name": data.name, "dataset_digest": data.digest} if data is not None else {}
    new = [
        Metric(limits.key_text(key), value, ended_ms, 0, model_id=entity.model_id, **named)
        for key, value in metrics.items()
        if limits.key_text(key) not in known
    ]
    if new:
        client.log_batch(trial.run_id, metrics=new)


def _save(
    model: Any, path: Path, entity: LoggedModel, run_id: str, metadata: dict[str, Any], requirements: Sequence[str]
) -> None:
    with warnings.catch_warnings():
        # MLflow warns of a type hint in its own code; nobody who searches for a model can do anything about it.
        warnings.simplefilter("ignore")
        import mlflow.keras
    from mlflow.models import Model

    # The driver sets it before it imports Keras; this room imports none.
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    pins = [f"{name}=={importlib.metadata.version(name)}" for name in ("mlflow", "keras", backend, "numpy")]
    described = Model(
        artifact_path=entity.artifact_location,
        model_uuid=entity.model_id,
        model_id=entity.model_id,
        run_id=run_id,
        metadata={**metadata, "backend": backend},
    )
    # pip_requirements: else MLflow loads the model in a child process to infer them, 13 s. input_example: broken.
    mlflow.keras.save_model(
        model, str(path), mlflow_model=described, signature=signature(model), pip_requirements=[*pins, *requirements]
    )
    _read_leniently(described, path)


def _read_leniently(described: Model, path: Path) -> None:
    """Has pyfunc take float64, whole numbers, lists and rows, which it refuses for a signature before it looks.

    It leaves the check to a model that says that it reads its input itself, as one with type hints does.
    """
    (path / "code").mkdir()
    shutil.copy(Path(__file__).with_name(f"{_LOADER}.py"), path / "code")
    described.flavors["python_function"] |= {"loader_module": _LOADER, "code": "code"}
    described.signature._is_signature_from_type_hint = True  # noqa: SLF001 - MLflow has no public word for it
    described.save(str(path / "MLmodel"))


def signature(model: Any) -> ModelSignature:
    """Returns what a Keras model takes and yields, float32, for a batch of any size; several inputs by name."""
    import numpy as np
    from mlflow.models.signature import ModelSignature
    from mlflow.types.schema import ParamSchema, ParamSpec, Schema, TensorSpec

    def tensor(shape: tuple[int | None, ...], name: str | None = None) -> TensorSpec:
        # None is an axis of any length: the batch, and the steps of a series.
        return TensorSpec(np.dtype("float32"), tuple(-1 if size is None else size for size in shape), name)

    named = len(model.inputs) > 1
    taken = [tensor(each.shape, each.name if named else None) for each in model.inputs]
    give = ParamSchema([ParamSpec("give", "string", "answers")])  # what `automl_pyfunc` answers with
    return ModelSignature(Schema(taken), Schema([tensor(model.output_shape)]), give)


def _registered(client: MlflowClient, entity: LoggedModel, run_id: str, best: BestModel) -> ModelVersion:
    """Returns the model's version in the registry, made where there is none yet."""
    from mlflow.exceptions import MlflowException

    # MLflow takes no path separators in a model's name.
    name = re.sub(r"[/:\\]", "-", best.name)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    begun = client.search_model_versions(f"run_id = '{run_id}'")
    version = next((each for each in begun if (each.name, each.source) == (name, entity.artifact_location)), None)
    version = version or client.create_model_version(
        name,
        entity.artifact_location,
        run_id=run_id,
        tags=dict(best.tags),
        description=limits.cut(best.card, CARD_LIMIT) or None,
        model_id=entity.model_id,
    )
    marks = {VERSION_TAG: f"{name}/{version.version}", _VERSIONS_TAG: _with(entity, name, str(version.version))}
    note = {"mlflow.note.content": limits.cut(best.card, CARD_LIMIT)} if best.card else {}
    client.set_logged_model_tags(entity.model_id, marks | note)
    return version


def _with(entity: LoggedModel, name: str, version: str) -> str:
    """Returns the versions that a logged model has in the registry, as the UI's page of it reads them."""
    known = json.loads((entity.tags or {}).get(_VERSIONS_TAG, "[]"))
    new = {"name": name, "version": version}
    return json.dumps([*known, *([] if new in known else [new])])
