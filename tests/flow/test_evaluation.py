"""Searches whose trials are measured by folds, as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import searches
from spaces import QUICK

pytestmark = pytest.mark.slow

FOLDS = QUICK.replace("epochs: 1", "epochs: 2") + "evaluation: {folds: 3, refit: true, race: false}\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a search with folds has run."""
    folder = tmp_path_factory.mktemp("folds")
    (folder / "space.yaml").write_text(FOLDS)
    home = folder / "mlruns"
    done = searches.automl(home, "search", "space.yaml", "--inline", "-o", "json")
    assert done.returncode == 0, done.stderr
    (folder / "result.json").write_text(done.stdout.splitlines()[-1])
    assert "is trained on all folds together, for" in done.stderr
    return home


def test_the_result_is_a_mean_with_its_spread(home: Path) -> None:
    best = json.loads((home.parent / "result.json").read_text())["best"]
    assert len(best["scores"]) == 3
    assert best["score"] == pytest.approx(np.mean(best["scores"]))
    assert best["spread"] == pytest.approx(np.std(best["scores"], ddof=1))
    # All examples but those of the test part were trained on, by a model that was loaded and tested.
    assert best["test"].keys() >= {"test_loss", "test_accuracy"}
    assert best["model_uri"]


def test_every_listing_tells_the_spread(home: Path) -> None:
    rows = json.loads(searches.automl(home, "trials", "-o", "json").stdout)
    assert all(row["spread"] >= 0 for row in rows)
    shown = json.loads(searches.automl(home, "show", str(rows[0]["trial"]), "-o", "json").stdout)
    assert len(shown["scores"]) == 3
    assert [epoch["epoch"] for epoch in shown["epochs"]] == [1, 2, 3, 4, 5, 6]
    assert shown["document"]["evaluation"] == {"folds": 3, "refit": True, "race": False}
    assert rows[0]["spread"] == pytest.approx(np.std(shown["scores"], ddof=1))


def test_mlflow_has_the_mean_and_the_spread(home: Path) -> None:
    client = searches.client_of(home)
    search_id = json.loads((home.parent / "result.json").read_text())["search_id"]
    for run in searches.trial_runs(client, search_id).values():
        assert run.data.metrics["score_spread"] >= 0
        assert len(client.get_metric_history(run.info.run_id, "val_accuracy")) == 6
