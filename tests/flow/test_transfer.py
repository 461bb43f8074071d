"""Transfer learning as a user does it: weights from a file, a frozen phase and a fine-tuned one, and what is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from searches import Said, Search, automl, client_of, make

pytestmark = pytest.mark.slow

DATA = "{name: toy, source: {npz: {file: toy.npz, x: x, y: y}}, input: image, task: classification}"
SPACE = """\
model:
  - backbone: {family: MobileNet, alpha: 0.25, weights: WEIGHTS, pooling: avg}
training:
  batch_size: 32
  phases:
    - {epochs: 2, unfreeze: none}
    - {epochs: 1, factor: {values: [0.1]}, unfreeze: 0.1}
search: {trials: 2}
data: DATA
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds images, and weights of the narrow network as Keras writes them."""
    import keras

    found = tmp_path_factory.mktemp("transfer")
    y = np.arange(90) % 3
    x = np.random.default_rng(0).integers(0, 120, (90, 32, 32, 3)) + 60 * y[:, None, None, None]
    np.savez(found / "toy.npz", x=x.astype(np.uint8), y=y)
    keras.utils.set_random_seed(1)
    keras.applications.MobileNet(include_top=False, weights=None, alpha=0.25).save_weights(found / "own.weights.h5")
    return found


def space(folder: Path, weights: str = "own.weights.h5") -> str:
    return SPACE.replace("WEIGHTS", str(folder / weights)).replace("DATA", DATA.replace("toy.npz", f"{folder}/toy.npz"))


@pytest.fixture(scope="module")
def said() -> Said:
    return Said()


@pytest.fixture(scope="module")
def search(folder: Path, said: Said, empty_store: Path) -> Search:
    home = folder / "mlruns"
    home.mkdir()
    shutil.copy(empty_store, home)
    return make(home, "transfer", space(folder), watcher=said, inline=True)


def test_a_trials_curve_is_one_line_over_both_phases(search: Search) -> None:
    run = search.trials[1]
    assert [step for step, _ in search.points(run.info.run_id, "val_loss")] == [1, 2, 3]
    rates = [round(value, 6) for _, value in search.points(run.info.run_id, "learning_rate")]
    assert rates == [0.001, 0.001, 0.0001]


def test_where_the_weights_came_from_is_on_record(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    (origin,) = search.history.header.settings["pretrained"]
    assert origin["source"] == "own.weights.h5"
    assert search.parent.data.tags["automl.pretrained"] == (f"MobileNet 0.25 own.weights.h5 sha256:{origin['digest']}")
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", search.summary.tracking_uri)
    assert mlflow.models.get_model_info(search.winner["model_uri"]).metadata["pretrained"] == origin


def test_the_features_are_computed_once_for_all_trials(search: Search, said: Said) -> None:
    assert "the features of the frozen backbone are computed once and kept for all trials" in said.lines
    assert len([path for path in (search.home / "cache" / "features").iterdir() if path.is_dir()]) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("own.weights.h5", "none.weights.h5", "there is no such file of weights"),
        ("alpha: 0.25", "alpha: 0.5", "holds the weights of another network"),
        ("family: MobileNet, alpha: 0.25", "family: Xception", "Xception reads images of 71x71 pixels at least"),
    ],
)
def test_what_cannot_be_is_told_before_anything_begins(
    folder: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    home = tmp_path / "mlruns"
    (tmp_path / "space.yaml").write_text(space(folder).replace(old, new))
    done = automl(home, "search", "space.yaml")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert message in line
    assert not home.exists()


def test_a_search_that_is_mirrored_anew_tells_the_same(search: Search, tmp_path: Path) -> None:
    other = tmp_path / "other"
    done = automl(search.home, "sync", search.summary.search_id, "--tracking-uri", f"sqlite:///{other}/mlflow.db")
    assert done.returncode == 0, done.stderr
    tags = search.parent.data.tags
    client = client_of(other)
    (again,) = client.search_runs(
        [each.experiment_id for each in client.search_experiments()],
        f"tags.`automl.search` = '{search.summary.search_id}'",
    )
    assert again.data.tags["automl.pretrained"] == tags["automl.pretrained"]
