"""What a document says must agree with its data: the loss, and the objective, with the task."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from automl import tasks
from automl.authoring.lint._case import Case
from automl.authoring.lint.costs import losses_that_differ
from automl.cli._progress import Lines
from automl.document import catalog
from automl.errors import ConfigError
from automl.experiment import experiment
from automl.experiment.experiment import Experiment
from automl.records.trials import Report

REPO = Path(__file__).parents[2]
DATA = "data: {{name: toy, source: {{npz: {{file: toy.npz}}}}, input: series, task: {}}}\n"


def read(folder: Path, task: str, *sections: str) -> Experiment:
    text = "".join(f"{section}\n" for section in ("model: [flatten]", *sections))
    (folder / "s.yaml").write_text(text + DATA.format(task))
    return experiment.load(str(folder / "s.yaml"))


@pytest.mark.parametrize(
    ("task", "loss", "place", "name", "expected"),
    [
        ("regression", "focal", "2:12", "focal", "mse, mae, huber, log_cosh, quantile"),
        ("regression", "{focal: {gamma: 1.0}}", "2:19", "focal", "mse, mae, huber, log_cosh, quantile"),
        ("regression", "{values: [mae, focal]}", "2:33", "focal", "mse, mae, huber, log_cosh, quantile"),
        (
            "multi_label",
            "{one_of: {binary_focal: {}, focal: {}}}",
            "2:46",
            "focal",
            "binary_crossentropy, binary_focal",
        ),
        ("classification", "{one_of: [focal, mse]}", "2:", "mse", "crossentropy, focal"),
        ("{classification: {target: kind}}", "mae", "2:12", "mae", "crossentropy, focal"),
    ],
)
def test_a_loss_that_does_not_fit_the_task_is_refused_at_its_place(
    tmp_path: Path, task: str, loss: str, place: str, name: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, task, f"training: {{loss: {loss}}}")
    (problem,) = caught.value.problems
    kind = task.strip("{").partition(":")[0]
    assert str(problem).startswith(f"{tmp_path / 's.yaml'}:{place}")
    assert f": {name} does not fit the task {kind}. Expected one of {expected}" in str(problem)


@pytest.mark.parametrize("loss", ["null", "mae", "{values: [null, mse, huber]}", "{one_of: {huber: {}, quantile: {}}}"])
def test_a_loss_that_fits_is_read(tmp_path: Path, loss: str) -> None:
    assert read(tmp_path, "regression", f"training: {{loss: {loss}}}").goals.primary.metric == "val_r2"


def test_an_unknown_loss_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, "regression", "training: {loss: msw}")
    (problem,) = caught.value.problems
    assert "unknown loss 'msw'" in str(problem)


@pytest.mark.parametrize(
    ("task", "objective", "direction"),
    [("classification", "val_accuracy", "max"), ("regression", "val_r2", "max"), ("multi_label", "val_f1", "max")],
)
def test_the_objective_is_the_tasks_own(tmp_path: Path, task: str, objective: str, direction: str) -> None:
    found = read(tmp_path, task)
    assert (found.goals.primary.metric, found.goals.primary.direction) == (objective, direction)


def test_a_metric_of_another_task_is_refused(tmp_path: Path) -> None:
    assert read(tmp_path, "regression", "search: {objective: val_medae}").goals.primary.direction == "min"
    with pytest.raises(ConfigError, match=r"unknown metric 'val_accuracy'. Expected one of val_mae, val_mse, val_rmse"):
        read(tmp_path, "regression", "search: {objective: val_accuracy}")


@pytest.mark.parametrize("space", catalog.names(catalog.SPACES))
@pytest.mark.parametrize("task", ["regression", "multi_label"])
def test_every_shipped_space_goes_with_every_task(tmp_path: Path, space: str, task: str) -> None:
    (tmp_path / "d.yaml").write_text(f"source: {{npz: {{file: toy.npz}}}}\ninput: image\ntask: {task}\n")
    found = experiment.load(space, str(tmp_path / "d.yaml"))
    assert found.goals.primary.metric.removeprefix("val_") in tasks.registry.get(task).metrics


def test_what_is_shown_of_an_epoch_is_the_objective_and_the_losses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("automl.cli._progress.QUIET_S", 0.0)
    lines = Lines()
    lines.search_started("s-1", 4, 0, read(tmp_path, "regression").goals.primary.metric)
    lines.epoch(Report(1, 1, 1, {"loss": 1.0, "rmse": 3.0, "val_loss": 2.0, "val_rmse": 4.0, "val_r2": 0.25}))
    assert "t001  epoch 1/1  loss 1  val_loss 2  val_r2 0.25" in capsys.readouterr().err


def test_a_searched_loss_names_another_metric_of_the_task(tmp_path: Path) -> None:
    loss = "training: {loss: {values: [mse, mae]}}"
    (found,) = losses_that_differ(Case(read(tmp_path, "regression", loss, "search: {objective: val_loss}")))
    assert found.hint == "Fix it, or score by another metric, as val_mae"


def test_the_page_on_data_tells_of_every_task_its_losses_and_its_metrics() -> None:
    lines = [line for line in (REPO / "docs" / "data.md").read_text().splitlines() if re.match(r"\| `\w+` \|", line)]
    told = {}
    for line in lines:
        name, _, losses, metrics = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        told[name.strip("`")] = (re.findall(r"`(\w+)`", losses), re.findall(r"`(\w+)`", metrics))
    assert told.keys() == set(tasks.registry)
    for name, (losses, metrics) in told.items():
        task = tasks.registry.get(name)
        assert tuple(losses) == task.losses
        assert set(metrics) == set(task.metrics)
        assert metrics[0] == task.default_objective.removeprefix("val_")
