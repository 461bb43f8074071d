"""The last step after a search: its best trials compared on folds, one of them, or all, trained on all there is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from searches import Search, client_of, make

from automl.cli import main
from automl.deploy import finalized
from automl.executors import Tell
from automl.journal import Lock
from automl.records.trials import TrialRequest, TrialResult
from automl.worker.recorder import Recorder

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")]

Told = dict[str, Any]

SMALL = """model: [flatten, {dense: {units: {values: [4, 16]}}}]
training: {epochs: 3, batch_size: 32}
search: {algorithm: grid, trials: 2, baselines: false}
data:
  name: few
  source: {sklearn: {name: digits}}
  input: image
  task: classification
  limit: {train: 200, val: 60, test: 100}
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Search:
    home = tmp_path_factory.mktemp("small") / "mlruns"
    home.mkdir()
    shutil.copy(empty_store, home)
    return make(home, "small", SMALL, inline=True)


def run(home: Path, *line: str) -> Result:
    return automl(home, "finalize", *line)


def automl(home: Path, *line: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, line)], prog_name="automl", env={"AUTOML_HOME": str(home)})


@pytest.fixture(scope="module")
def whole(small: Search) -> tuple[Result, Told]:
    """The search, finalized at one go: what was said, and what was told."""
    done = run(small.home, "--top", "2", "--seeds", "2", "--inline", "-o", "json")
    assert done.exit_code == 0, done.output
    return done, json.loads(done.stdout)


def test_the_winner_is_trained_on_all_but_the_test_part(
    small: Search, whole: tuple[Result, Told], tmp_path: Path
) -> None:
    import keras

    done, told = whole
    means = [each["mean"] for each in told["candidates"]]
    assert sorted(means, reverse=True) == means
    assert {each["trial"] for each in told["candidates"]} == {1, 2}
    best, other = told["candidates"]
    assert told["trial"] == best["trial"]
    assert best["p"] == 1.0
    assert best["low"] <= best["mean"] <= best["high"]
    assert np.mean(best["scores"]) == pytest.approx(best["mean"])
    assert other["alike"] == (other["p"] >= 0.05)
    assert best["epochs"] in (1, 2)  # of three, on half of the examples
    assert told["holds"] == (best["low"] <= told["score"] <= best["high"])
    assert told["test_seen_before"]
    # What is told is what the model on disk scores on the very test part of the search.
    model = keras.saving.load_model(told["path"])
    model_weights = model.get_weights()[0]
    from automl.data import prepare
    from automl.data.feed import Feed

    assert small.read.data is not None
    data = prepare.prepare(small.read.data, small.home / "again")
    assert data.digest == small.history.header.data_digest
    feed = Feed(data, "test", 256)
    x, y = feed.held(100)[:2]
    right = (model.predict(x, verbose=0).argmax(axis=-1) == y.argmax(axis=-1)).mean()
    assert right == pytest.approx(told["score"], abs=1e-6)
    # MLflow: a run below the search's, and a version that is the champion after the search's own.
    client = client_of(small.home)
    (final,) = client.search_runs([small.summary.experiment_id], "tags.`automl.final` LIKE '%'")
    assert final.data.tags["mlflow.parentRunId"] == small.summary.run_id
    assert final.data.metrics["test_accuracy"] == told["score"]
    assert final.data.tags["automl.test_part"] == "read once, after the search had read it"
    champion = client.get_model_version_by_alias("small-few", "champion")
    assert client.get_model_version_by_alias("small-few", "previous").version == 1
    assert champion.version == 2
    assert "trained on all but the test part" in champion.description
    assert "small-few: version 2 (finalized, its trial" in done.stderr
    # It is the search's model from now on, wherever one is asked for, and so says its card.
    score = pytest.approx(told["score"], abs=1e-6)
    for model in ("last", "models:/small-few@champion"):
        measured = automl(small.home, "evaluate", model, "-o", "json")
        assert measured.exit_code == 0, measured.output
        assert json.loads(measured.stdout)["metrics"]["accuracy"] == score
    assert "trained on examples of this part" in automl(small.home, "evaluate", "last", "--part", "val").stderr
    for target in ("one.keras", "some"):
        written = automl(small.home, "export", "--to", tmp_path / target)
        assert written.exit_code == 0, written.output
    for file in (tmp_path / "one.keras", tmp_path / "some" / "small-few-keras" / "model.keras"):
        copy = keras.saving.load_model(file)
        np.testing.assert_array_equal(copy.get_weights()[0], model_weights)
    # Not where a better trial was found since; one that is gone, or cannot be read, is missed.
    at = small.home, small.summary.search_id
    assert finalized.of(*at, 1) == finalized.of(*at, 2) is not None
    assert finalized.of(*at, 3) is None
    place = small.folder / "final"
    for name, told_of in (("model.keras", "the finalized model is gone"), ("finalized.json", "cannot be read")):
        held = (place / name).read_bytes()
        (place / name).unlink()
        if name == "finalized.json":
            (place / name).write_text("{")
        gone = automl(small.home, "evaluate", "last")
        assert gone.exit_code == 1
        assert told_of in gone.stderr
        assert len(gone.stderr.splitlines()) == 1
        (place / name).write_bytes(held)
    # The trial's own is still to be had, by its version.
    first = automl(small.home, "evaluate", "models:/small-few/1", "-o", "json")
    assert json.loads(first.stdout)["metrics"]["accuracy"] == pytest.approx(
        small.summary.best["test"]["test_accuracy"],
        abs=1e-6,  # type: ignore[index]
    )
    assert not list((small.folder / "final.work").parent.glob("final.work*"))


def test_an_ensemble_is_one_model(small: Search) -> None:
    import keras

    import automl

    found = automl.load_search(small.summary.search_id, home=small.home)
    told = found.finalize(top=2, seeds=2, ensemble=True, inline=True, champion="never")
    assert (told["members"], told["holds"]) == (4, None)
    model = keras.saving.load_model(told["path"], safe_mode=True)
    x = np.random.default_rng(0).uniform(0, 16, (5, 8, 8, 1)).astype("float32")
    members = [layer for layer in model.layers if layer.name.startswith("member_")]
    expected = np.mean([member.predict(x, verbose=0) for member in members], axis=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-6)
    assert len({float(np.abs(member.get_weights()[-1]).sum()) for member in members}) == 4
    assert client_of(small.home).get_model_version_by_alias("small-few", "champion").version == 2


def test_what_was_trained_is_not_trained_again(
    small: Search, whole: tuple[Result, Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the third of four trainings on folds; the third goes on, the two before it stay as they are."""
    from automl.driver import finalize

    train, seen = finalize.run_trial, []

    def counted(request: TrialRequest, tell: Tell) -> TrialResult:
        seen.append(request.trial)
        if seen == [1, 2, 3]:
            raise KeyboardInterrupt
        return train(request, tell)

    monkeypatch.setattr(finalize, "run_trial", counted)
    asked = ["--top", "2", "--seeds", "2", "--inline", "--champion", "never", "-o", "json"]
    cut = run(small.home, *asked)
    assert cut.exit_code == 130
    assert "what is trained so far is kept" in cut.stderr
    assert (small.folder / "final.work").exists()
    done = run(small.home, *asked)
    assert done.exit_code == 0, done.output
    assert "2 of them are done already" in done.stderr
    assert seen == [1, 2, 3, 3, 4]
    assert not (small.folder / "final.work").exists()
    assert not (small.folder / "final" / "asked.json").exists()
    # The same as at one go.
    one, other = ([each["scores"] for each in told["candidates"]] for told in (json.loads(done.stdout), whole[1]))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_what_is_odd_with_a_training_does_not_end_it(small: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = Recorder.facts
    odd = {"gradient": "vanishing", "message": "the gradient vanished in epoch 2"}
    monkeypatch.setattr(Recorder, "facts", lambda self: facts(self) | odd)
    done = run(small.home, "--top", "1", "--seeds", "2", "--inline", "--champion", "never")
    assert done.exit_code == 0, done.output
    monkeypatch.setattr(Recorder, "facts", lambda self: {"outcome": "diverged", "message": "the loss became nan"})
    failed = run(small.home, "--top", "1", "--seeds", "2", "--inline", "--champion", "never")
    assert failed.exit_code == 1
    assert "a training on a fold failed: the loss became nan." in failed.stderr
    shutil.rmtree(small.folder / "final.work")  # stays for another try


def test_a_store_that_was_lost_lacks_the_finalized_model_and_sync_says_so(
    small: Search, whole: tuple[Result, Told], tmp_path: Path, empty_store: Path
) -> None:
    assert "is not told of again" not in automl(small.home, "sync").stderr
    other = f"sqlite:///{shutil.copy(empty_store, tmp_path)}"
    again = automl(small.home, "sync", "--tracking-uri", other)
    assert again.exit_code == 0, again.output
    assert f"automl finalize {small.summary.search_id} registers one anew" in again.stderr
    # What is not there is said to be so, whatever MLflow calls it.
    gone = automl(small.home, "evaluate", "models:/small-few@nosuch")
    assert (gone.exit_code, "models:/small-few@nosuch: is not there" in gone.stderr) == (2, True), gone.stderr


def test_what_cannot_be_finalized_is_said_in_a_line(small: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    many = run(small.home, "--top", "9", "--seeds", "90", "--inline")
    assert many.exit_code == 2
    assert "cannot be cut into 90 folds" in many.stderr
    assert "only 2 trials have a score: all are taken" in many.stderr
    assert not (small.folder / "final.work").exists()
    with Lock(small.folder):
        held = run(small.home, "--inline")
    assert held.exit_code == 1
    assert len(held.stderr.splitlines()) == 1
    assert "no search is called so" in run(small.home, "nosuch").stderr
