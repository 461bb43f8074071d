"""Models fetched from the registry or from a run, and what is measured of them later."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import ConfigError, Problem
from automl.tracking import limits
from automl.tracking.outbox import line
from automl.tracking.store import Store
from automl.tracking.tags import FINAL_TAG, MODEL_URI_TAG, SEARCH_TAG, TRIAL_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient

ADDRESS = re.compile(r"(models|runs):/.+")
RUN_ID = re.compile(r"[0-9a-f]{32}")
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")
_FILE = Path("data") / "model.keras"
"""Where MLflow puts the file of a Keras model."""


@dataclass(frozen=True)
class Fetched:
    """A model of the store's, on this machine.

    Args:
        folder: Where all of it lies.
        model_id: Its id.
        run_id: The run that it stands on.
        name: What it is called.
        search: The search that it is of.
        final: Whether it was finalized.
    """

    folder: Path
    model_id: str
    run_id: str
    name: str
    search: str | None = None
    final: bool = False

    @property
    def file(self) -> Path:
        """The Keras file."""
        return self.folder / _FILE


def search_of(store: Store, run_id: str) -> tuple[str | None, str | None]:
    """Returns which search, or trial, a run is of (`SEARCH` or `SEARCH/t003`), and the address of its model.

    Raises:
        ConfigError: There is no such run, or the store cannot be read.
    """
    with _reading(store, run_id):
        tags = _client(store, run_id).get_run(run_id).data.tags
    return tags.get(TRIAL_TAG) or tags.get(SEARCH_TAG), tags.get(MODEL_URI_TAG)


def fetch(store: Store, address: str, folder: Path) -> Fetched:
    """Copies a logged model into a folder.

    Args:
        store: Where it is.
        address: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/NAME` for its champion, `models:/m-ID`, or
            `runs:/ID/model`.
        folder: Where to; it is there and empty.

    Raises:
        ConfigError: There is no such model, its files are gone, or the store cannot be read.
    """
    from mlflow.artifacts import download_artifacts

    with _reading(store, address):
        client = _client(store, address)
        model = client.get_logged_model(_model_id(client, address))
        where = Path(download_artifacts(artifact_uri=model.artifact_location, dst_path=str(folder)))
        run_id, final = model.source_run_id or "", FINAL_TAG in model.tags
        search = client.get_run(run_id).data.tags.get(SEARCH_TAG) if run_id else None
    found = Fetched(where, model.model_id, run_id, _name(address) or model.name, search, final)
    if not (where / "MLmodel").is_file():
        raise ConfigError(Problem(address, "its files are gone", hint="Register it again with: automl sync SEARCH"))
    if not found.file.is_file():
        raise ConfigError(Problem(address, "holds no Keras model", "one that a search of automl registered"))
    return found


def measured(store: Store, model_id: str, run_id: str, figures: Mapping[str, float]) -> None:
    """Adds figures to a model's page, and to its run; a later one of the same name stands beside the first.

    Raises:
        mlflow.exceptions.MlflowException: The store does not take them.
    """
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    points = [Metric(limits.key_text(name), value, now, 0, model_id=model_id) for name, value in figures.items()]
    store.client().log_batch(run_id, metrics=points)


def _client(store: Store, where: str) -> MlflowClient:
    if store.is_missing:
        what = f"there is no store at {store.shown} yet"
        raise ConfigError(Problem(where, what, hint="Name the model's store with --tracking-uri"))
    store.prepare()
    return store.client()


def _model_id(client: MlflowClient, address: str) -> str:
    kind, _, rest = address.partition(":/")
    if kind == "runs":
        run_id = rest.split("/")[0]
        uri = client.get_run(run_id).data.tags.get(MODEL_URI_TAG)
        outputs = client.get_run(run_id).outputs
        ids = [each.model_id for each in (outputs.model_outputs if outputs else ())]
        if uri is None and len(ids) != 1:
            raise ConfigError(Problem(address, "the run has no model"))
        return uri.removeprefix("models:/") if uri else str(ids[0])
    if _MODEL_ID.fullmatch(rest):
        return rest
    name, alias = rest.split("@") if "@" in rest else (rest, None)
    name, _, number = name.partition("/") if alias is None else (name, "", "")
    if alias is None and number and not number.isdigit():
        raise ConfigError(Problem(address, "is no address of a model", "models:/NAME@ALIAS, models:/NAME/VERSION"))
    version = (
        client.get_model_version(name, number)
        if number
        else client.get_model_version_by_alias(name, alias or "champion")
    )
    # Not every store remembers the id that a version was made with; its source is the folder of that model.
    found = version.model_id or next(iter(_MODEL_ID.findall(version.source)), None)
    if not found:
        raise ConfigError(Problem(address, "was not logged as a model by MLflow 3"))
    return str(found)


def _name(address: str) -> str | None:
    kind, _, rest = address.partition(":/")
    return re.split("[/@]", rest)[0] if kind == "models" and not rest.startswith("m-") else None


@contextlib.contextmanager
def _reading(store: Store, where: str) -> Iterator[None]:
    """Turns what MLflow raises while a store is read into a message."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        code = getattr(error, "error_code", None)
        # An alias that is not there is an invalid parameter to MLflow.
        missing = code == "INVALID_PARAMETER_VALUE" and "alias" in str(error)
        gone = code == "RESOURCE_DOES_NOT_EXIST" or missing or isinstance(error, OSError)
        what = "is not there" if gone else f"cannot be read from {store.shown}"
        raise ConfigError(Problem(where, f"{what}: {line(error)}")) from error
