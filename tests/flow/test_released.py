"""Searches that a release made: whatever comes later lists, exports, mirrors and resumes them.

`released/format2` holds two real ones of the journal's second format: one that finished, and one whose driver and
workers were killed (SIGKILL) in the third epoch of its second trial. `@PROJECT@` stands for the folder they were made
in. They are never made again: a new format gets a folder of its own beside them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from searches import client_of, program, trial_runs

import automl

pytestmark = pytest.mark.slow

FINISHED, KILLED = "20261126-064009-b825", "20261126-064025-2609"
WON = {FINISHED: (1, 0.3166666626930237), KILLED: (1, 0.800000011920929)}
PROPOSED = {
    1: (2, 16, 0.021476954046752275),
    2: (2, 5, 0.023888473858856635),
    3: (2, 7, 0.004602453679795906),
    4: (4, 8, 0.005590544226080931),
}
"""What the release itself proposed when it went on with the killed one: filters, units, learning rate."""


@pytest.fixture
def released(tmp_path: Path, home: Path) -> Path:
    """The home of the two searches, in a project that was moved here."""
    shutil.copytree(Path(__file__).with_name("released") / "format2", tmp_path, dirs_exist_ok=True)
    for file in tmp_path.rglob("*"):
        if file.suffix in {".jsonl", ".json", ".yaml"}:
            file.write_text(file.read_text().replace("@PROJECT@", str(tmp_path)))
    return home


def test_they_are_listed(released: Path) -> None:
    for search, (trial, score) in WON.items():
        listed = program(released, "trials", search, "-o", "json")
        assert listed.returncode == 0, listed.stderr
        first = json.loads(listed.stdout)[0]
        assert (first["trial"], first["val_accuracy"]) == (trial, score)
        assert json.loads(program(released, "status", search, "-o", "json").stdout)["best"] == f"t{trial:03d}"


def test_the_best_model_is_exported(released: Path, tmp_path: Path) -> None:
    import keras

    for search in WON:
        file = tmp_path / f"{search}.keras"
        told = program(released, "export", search, "--to", str(file))
        assert told.returncode == 0, told.stderr
        assert keras.saving.load_model(file).input_shape == (None, 8, 8, 1)


def test_they_are_mirrored_in_mlflow(released: Path) -> None:
    for search, ended in ((FINISHED, 4), (KILLED, 1)):
        told = program(released, "sync", search)
        assert told.returncode == 0, told.stderr
        runs = trial_runs(client_of(released), search)
        scored = [run for run in runs.values() if "val_accuracy" in run.data.metrics and run.info.status == "FINISHED"]
        assert len(scored) == ended


def test_what_was_killed_is_resumed(released: Path) -> None:
    done = program(released, "resume", KILLED)
    assert done.returncode == 0, done.stderr
    trials = json.loads(program(released, "trials", KILLED, "-o", "json").stdout)
    assert {row["trial"]: tuple(row["params"].values()) for row in trials} == PROPOSED
    assert {row["epochs"] for row in trials} == {6}
    scores = {row["trial"]: row["val_accuracy"] for row in trials}
    # As the release went on; another processor's last digits may move single examples of sixty.
    assert scores == pytest.approx({1: 0.8, 2: 0.41667, 3: 0.35, 4: 0.35}, abs=0.06)


def test_what_had_finished_goes_on(released: Path) -> None:
    done = program(released, "resume", FINISHED, "--trials", "5")
    assert done.returncode == 0, done.stderr
    search = automl.load_search(FINISHED, home=released)
    assert set(search.trials()["trial"]) == {1, 2, 3, 4, 5}
