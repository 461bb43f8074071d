"""The report of searches that ran: their winner, looked at on the validation part."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from searches import Search, automl
from test_numbers_and_labels import search, toy

from automl.results import plots
from automl.results.winner import looked_at

pytestmark = pytest.mark.slow

TABLE = """model:
  - dense: {units: {min: 4, max: 8}}
training: {epochs: 2, batch_size: 16, optimizer: {adam: {learning_rate: 0.02}}}
search: {algorithm: random}
"""


GROUPS, GRAD_CAM = "The groups, one by one", "What speaks for the answer"


def titles(task: str, left_out: tuple[str, ...] = ()) -> set[str]:
    """Returns the headings that a report of a winner has."""
    found = {plot for plot in plots.ordered() if isinstance(plot, plots.WinnerPlot)}
    return {plot.title for plot in found if not plot.tasks or task in plot.tasks} - set(left_out)


def headings(home: Path, *args: str) -> tuple[set[str], str]:
    """Writes the report; returns its headings, and what was said beside."""
    done = automl(home, "report", "--to", home.parent / "report.html", "--force", *args)
    assert done.returncode == 0, done.stderr
    text = (home.parent / "report.html").read_text()
    assert len(text) < 5_000_000
    return {piece.split("</h2>")[0] for piece in text.split("<h2>")[1:]}, done.stderr


@pytest.fixture
def real_data(automl_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The series of `rnn` are found."""
    monkeypatch.setenv("AUTOML_DATA", str(automl_data))


@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize(("name", "left_out"), [("random", (GROUPS,)), ("rnn", (GROUPS, GRAD_CAM))])
def test_a_winner_is_looked_at_from_all_sides(
    finished: Callable[[str], Search], name: str, left_out: tuple[str, ...]
) -> None:
    home = finished(name).home
    found, said = headings(home)
    assert titles("classification", left_out) <= found
    assert not found & set(left_out)
    assert said == ""
    without, _ = headings(home, "--no-winner")
    assert without == found - titles("classification")


def test_the_numbers_that_a_winner_tells_are_held_against_the_true_ones(new_home: Path, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(TABLE)
    search(new_home, str(tmp_path / "small.yaml"), toy(tmp_path, "regression", "table"), trials=1)
    found, _ = headings(new_home)
    # Noise makes other words of a table's categories.
    assert titles("regression", ("Robustness to noise", GROUPS, GRAD_CAM)) <= found
    assert "Confusion matrix" not in found


def test_a_winner_is_measured_on_each_group_that_the_data_names(new_home: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a, sex = rng.normal(size=300), rng.choice(["female", "male"], 300)
    rows = [f"{x:.4f},{which},{'yes' if x + (which == 'male') > 0 else 'no'}" for x, which in zip(a, sex, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(["a,sex,paid", *rows]))
    data = tmp_path / "t.yaml"
    source = "source: {csv: {file: t.csv, target: paid, columns: [a]}}"
    data.write_text(f"{source}\ninput: table\ntask: classification\nfigures_by: sex\n")
    (tmp_path / "small.yaml").write_text(TABLE)
    search(new_home, str(tmp_path / "small.yaml"), data, trials=1)
    found, said = headings(new_home)
    assert GROUPS in found
    assert said == ""
    text = (new_home.parent / "report.html").read_text()
    assert "yes by sex: demographic parity difference" in text
    assert "female (" in text


@pytest.mark.usefixtures("real_data")
def test_without_its_model_the_rest_is_there(finished: Callable[[str], Search], tmp_path: Path) -> None:
    home = tmp_path / "mlruns"
    shutil.copytree(finished("rnn").home, home)
    for model in home.rglob("model.keras"):
        model.unlink()
    found, said = headings(home)
    assert "Learning curves" in found
    assert "Confusion matrix" not in found
    assert "the winner is left out of the report" in said


def test_padding_is_not_taken_for_data() -> None:
    """What hides a piece of a series may not make it longer: its padding stays."""
    from automl.results.plots.occlusion import hidden

    seen: list[np.ndarray] = []

    class Model:
        def answers(self, x: dict[str, np.ndarray]) -> np.ndarray:
            seen.append(x["x"])
            return np.zeros((len(x["x"]), 2))

    series = np.ones((24, 3), np.float32)
    series[12:] = np.nan
    drops = hidden(Model(), "x", series, 1)  # type: ignore[arg-type]
    assert drops.shape == (12,)
    assert all(np.isnan(each[12:]).all() and not np.isnan(each[:12]).any() for each in seen[0])


@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize("name", ["random", "rnn"])
def test_the_registered_model_is_the_very_one_that_was_scored(
    finished: Callable[[str], Search], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    found = finished(name)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", found.summary.tracking_uri)
    registered = mlflow.pyfunc.load_model(found.winner["model_uri"])
    with looked_at(found.home, found.history, found.read, pytest.fail) as winner:
        assert winner is not None
        (x,) = winner.examples(np.arange(len(winner.stored))).values()
        outputs = registered.predict(x, params={"give": "outputs"})
    np.testing.assert_allclose(outputs, winner.outputs, atol=1e-6)
    ended = found.history.trials[found.winner["trial"]].ended
    assert ended is not None
    right = outputs[np.arange(len(x)), winner.truth]
    assert (outputs.argmax(axis=-1) == winner.truth).mean() == pytest.approx(ended.metrics["val_accuracy"], abs=1e-6)
    assert -np.log(right).mean() == pytest.approx(ended.metrics["val_loss"], abs=1e-6)
