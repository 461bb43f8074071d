"""The notebook and the example of `docs/`, run as their readers run them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras_tuner
import nbformat
import pytest
from nbclient import NotebookClient
from searches import REPO, client_of, environment, parent_run, trial_runs

DOCS = REPO / "docs"
NOTEBOOK = DOCS / "quickstart.ipynb"

pytestmark = pytest.mark.slow


def executed(folder: Path) -> Any:
    """Returns the notebook with the outputs of a run in a folder; a cell that fails raises."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    where = {"metadata": {"path": str(folder)}}
    return NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()


def outputs(notebook: Any, cell: str) -> list[Any]:
    (found,) = [each for each in notebook.cells if each.id == cell]
    return list(found.outputs)


def shown(notebook: Any, cell: str, kind: str) -> str:
    """Returns what a cell shows of a kind, as `text/html`."""
    (data,) = [each.data[kind] for each in outputs(notebook, cell) if kind in each.get("data", {})]
    return str(data)


def rows(html: str) -> int:
    """Returns the rows of a frame, without its head."""
    return html.count("<tr") - 1


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("notebook")
    private = {name: str(folder / name) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**environment(folder / "mlruns"), **private}.items():
            patch.setenv(name, value)
        # As a reader has it: what TensorFlow says by default must not land in the notebook.
        patch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
        yield executed(folder)


class TestNotebook:
    def test_the_leaderboard_has_a_row_a_trial(self, notebook: Any) -> None:
        said = "".join(each.text for each in outputs(notebook, "search"))
        assert re.findall(r"^t00\d/4", said, re.MULTILINE) == ["t001/4", "t002/4", "t003/4", "t004/4"]
        assert rows(shown(notebook, "trials", "text/html")) == 4

    @pytest.mark.parametrize("cell", ["curves", "model"])
    def test_there_is_a_picture(self, notebook: Any, cell: str) -> None:
        assert len(shown(notebook, cell, "image/png")) > 2_000

    def test_the_model_knows_a_probability_of_each_class(self, notebook: Any) -> None:
        assert shown(notebook, "shape", "text/plain") == "(8, 10)"

    def test_the_best_trial_is_shown(self, notebook: Any) -> None:
        assert "'stem.filters': " in shown(notebook, "best", "text/plain")
        accuracy = re.search(r"'test_accuracy': ([\d.]+)", shown(notebook, "test", "text/plain"))
        assert accuracy is not None
        assert float(accuracy[1]) > 0.7

    def test_a_search_goes_on(self, notebook: Any) -> None:
        assert rows(shown(notebook, "resume", "text/html")) == 4

    def test_nothing_is_said_on_stderr(self, notebook: Any) -> None:
        told = [each for cell in notebook.cells for each in cell.get("outputs", []) if each.get("name") == "stderr"]
        assert told == []


def test_the_committed_notebook_was_run_from_top_to_bottom_and_names_no_machine() -> None:
    text = NOTEBOOK.read_text()
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell.outputs for cell in cells)
    assert not re.search(r"/(tmp|work|home|root|Users)\b|https?://", text)
    assert len(text) < 150_000


def test_keras_tuners_own_example_is_seen_in_mlflow(home: Path) -> None:
    example = [sys.executable, DOCS / "keras_tuner_in_mlflow.py"]
    ran = subprocess.run(
        example, env=environment(home), cwd=home.parent, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found = re.search(r"^MLflow run (\w+) ", ran.stdout, re.MULTILINE)
    assert found is not None
    client = client_of(home)
    search_id = client.get_run(found[1]).data.tags["automl.search"]
    assert parent_run(client, search_id).info.run_id == found[1]
    runs = trial_runs(client, search_id)
    assert runs.keys() == {1, 2, 3}
    for number, run in runs.items():
        # What Keras Tuner itself wrote down of the trial, told in MLflow whole.
        state = home.parent / "my_dir" / "helloworld" / f"trial_{number - 1}" / "trial.json"
        trial = keras_tuner.engine.trial.Trial.load(str(state))
        values = trial.hyperparameters.values
        assert {"num_layers", "units_0", "activation", "dropout", "lr"} <= values.keys()
        assert {name: value.lower() for name, value in run.data.params.items()} == {
            name: str(value).lower() for name, value in values.items()
        }
        for metric in ("loss", "accuracy", "val_loss", "val_accuracy"):
            points = client.get_metric_history(run.info.run_id, metric)
            assert [point.step for point in points] == [1, 2, 3, 4]  # two executions of two epochs
