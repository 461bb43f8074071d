"""Kills drivers and workers at random moments, and compares what comes out with a search that was left alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sweeps
from kills import LINES, compare, kill_at_random, trained
from kills import finish as finish_by_itself
from searches import QUICKEST, begun, client_of, trial_runs
from spaces import QUICK

from automl.journal import History, replay

pytestmark = pytest.mark.slow

KILLS = sweeps.part(20, 100)
# Random, and nobody judged: with two workers, all else hangs on which trial ends first.
SPACE = QUICK.replace("epochs: 1", "epochs: 6").replace("trials: 2", "trials: 60").replace("max: 9", "max: 999")


def drive(home: Path, space: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "KERAS_BACKEND": QUICKEST}
    command = [sys.executable, str(Path(__file__).parent / "walks.py"), str(home), str(space)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, start_new_session=True)


def prepared(folder: Path) -> tuple[Path, Path]:
    import keras

    home, space = folder / "mlruns", folder / "walks.yaml"
    home.mkdir(parents=True)
    space.write_text(SPACE)
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])
    (home / "searches").mkdir()
    model.save(home / "searches" / "model.keras")
    return home, space


def finish(home: Path, space: Path) -> None:
    driver = drive(home, space)
    _, err = driver.communicate(timeout=200)
    assert driver.returncode == 0, err.decode()


def table(history: History) -> dict[int, object]:
    return {
        number: (
            dict(trial.asked.values),
            trial.ended and (trial.ended.outcome, trial.ended.score, trial.ended.best_epoch, trial.ended.epochs),
            [report.epoch for report in trial.reports],
        )
        for number, trial in history.trials.items()
    }


def test_twenty_kills_change_nothing(tmp_path: Path) -> None:
    left, right = prepared(tmp_path / "left alone"), prepared(tmp_path / "killed")
    finish(*left)
    killed = kill_at_random(lambda home: drive(home, right[1]), right[0], 5, KILLS, 60 * (LINES - 2))
    assert killed.total() == KILLS
    assert min(killed["driver"], killed["worker"]) >= 3
    whole, after = replay(begun(left[0])), replay(begun(right[0]))
    assert after.finished is not None
    assert sum(trial.attempts for trial in after.trials.values()) > 60 + 5  # it hurt
    assert table(after) == table(whole)
    client = client_of(right[0])
    runs = trial_runs(client, begun(right[0]).name)
    assert runs.keys() == set(range(1, 61))
    for number, run in runs.items():
        points = [point.step for point in client.get_metric_history(run.info.run_id, "val_accuracy")]
        assert points == [report.epoch for report in after.trials[number].reports]


@pytest.mark.timeout(1200)  # where others keep the machine busy
def test_three_kills_of_trials_that_train_change_nothing(tmp_path: Path, empty_store: Path) -> None:
    trials = 6
    drive = trained(tmp_path / "trained.yaml", trials, "tensorflow")
    homes = [tmp_path / "left alone" / "mlruns", tmp_path / "killed" / "mlruns"]
    for home in homes:
        home.mkdir(parents=True)
        shutil.copy(empty_store, home)
    finish_by_itself(drive, homes[0])
    killed = kill_at_random(drive, homes[1], 4, 3, trials * LINES)
    assert killed.total() == 3
    assert killed["driver"] >= 1
    assert killed["worker"] >= 1
    assert compare(homes[1], homes[0]) == []
