"""The champion of a registered name: the version with the best score on its data, by its objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from automl.records.objective import Champion, Direction, Objective
from automl.tracking.store import find_trials
from automl.tracking.tags import CHANGED_TAG, DATA_DIGEST_TAG, FINAL_TAG, MODEL_TRIAL_TAG, VERSION_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

ALIAS, BEFORE = "champion", "previous"
"""The version that is served under a name, and the one that was before it."""


@dataclass(frozen=True)
class Standing:
    """What MLflow knows of how a version came about; None for what it does not.

    Args:
        version: Its number.
        run_id: The run of its search.
        objective: What ranked the trials.
        data: Digest of the data that it was trained and scored on.
        score: What its trial scored.
        final: Whether it is that trial's configuration, trained on all but the test part.
    """

    version: str
    run_id: str | None
    objective: Objective | None = None
    data: str | None = None
    score: float | None = None
    final: bool = False

    def __str__(self) -> str:
        if self.score is None:
            return f"version {self.version}"
        return f"version {self.version} ({'finalized, its trial ' if self.final else ''}{self.score:.4g})"


def crown(client: MlflowClient, version: ModelVersion, policy: Champion, say: Callable[[str], None]) -> None:
    """Makes a version the champion of its name where there is none, or where it is better than the one there is.

    Better is a higher score, or a lower one, by the same objective on the same data; of one search, what it ranks first
    now. An equal one leaves the alias where it is, and so does one that cannot be compared. The champion before keeps
    the alias `previous`.

    Args:
        client: MLflow's client.
        version: The version.
        policy: Whether it has to be better, or that nothing is to change.
        say: Told what became of the alias, in a line.
    """
    name, number = version.name, str(version.version)
    reigning = _reigning(client, name)
    if reigning is not None and str(reigning.version) == number:
        return
    new = _standing(client, version)
    old = None if reigning is None else _standing(client, reigning)
    why = None if old is None else objection(new, old)
    if policy == "never":
        stays = "there is no champion" if old is None else f"{old} stays the champion"
        say(f"{name}: {new} is registered, {stays}, as it is to be changed by hand")
        return
    if old is not None and why is not None and policy == "better":
        say(f"{name}: {old} stays the champion, not {new}: {why}")
        return
    if old is not None:
        client.set_registered_model_alias(name, BEFORE, old.version)
    client.set_registered_model_alias(name, ALIAS, number)
    after = "" if old is None else f", after {old}" + (f", although {why}" if why else "")
    say(f"{name}: {new} is the champion{after}")


def objection(new: Standing, old: Standing) -> str | None:
    """Returns why a version does not take the place of another; None where it does."""
    if old.objective is None and new.objective is not None:
        return "nothing tells how that was scored"
    if new.objective != old.objective:
        was, now = (each.objective and each.objective.metric for each in (old, new))
        return f"the objective was {was}, and is {now}"
    if new.run_id == old.run_id:
        return None
    if new.data is None or new.data != old.data:
        return "they were not scored on the same data"
    if new.score is None or old.score is None:
        return "one of the scores is not known"
    if new.objective is None:
        return "nothing tells how they were scored"
    return None if new.objective.beats(new.score, old.score) else f"its {new.objective.metric} is no better"


def _reigning(client: MlflowClient, name: str) -> ModelVersion | None:
    from mlflow.exceptions import MlflowException

    number = client.get_registered_model(name).aliases.get(ALIAS)
    try:
        return client.get_model_version(name, str(number)) if number is not None else None
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":  # deleted, and its alias left
            raise
        return None


def _standing(client: MlflowClient, version: ModelVersion) -> Standing:
    """Returns what the runs behind a version tell of it: not all, where they are another program's, or deleted."""
    from mlflow.exceptions import MlflowException

    number = str(version.version)
    if not version.run_id:
        return Standing(number, None)
    try:
        run = client.get_run(version.run_id)
        models = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return Standing(number, version.run_id)
    named = f"{version.name}/{number}"
    tags: Mapping[str, str] = next((each.tags for each in models if each.tags.get(VERSION_TAG) == named), {})
    trial = int(tags[MODEL_TRIAL_TAG]) if tags else None
    trials = find_trials(client, [run.info.experiment_id], run.info.run_id)
    scored = client.get_run(trials[trial]).data.metrics if trial in trials else {}

    def setting(key: str) -> str | None:
        return run.data.tags.get(f"{CHANGED_TAG}{key}") or run.data.params.get(key)

    return Standing(
        number,
        run.info.run_id,
        _objective(setting("objective"), setting("direction")),
        run.data.tags.get(DATA_DIGEST_TAG),
        scored.get("score"),
        FINAL_TAG in tags,
    )


def _objective(metric: str | None, word: str | None) -> Objective | None:
    """Returns the objective that a run's parameters name; None where they name none."""
    directions: tuple[Direction, ...] = get_args(Direction)
    return next((Objective(metric, each) for each in directions if metric and each == word), None)
