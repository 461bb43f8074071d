"""Searches from Python, as a script or a notebook runs them."""

from __future__ import annotations

import builtins
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from searches import begun, environment, journal_holds, wait_for
from spaces import QUICK

import automl
from automl.api import command
from automl.api import found as found_search
from automl.document import yaml_text
from automl.errors import ConfigError, SearchError

SPACE = yaml_text.parse(QUICK, "space.yaml").data


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> automl.Search:
    home = tmp_path_factory.mktemp("api") / "mlruns"
    return automl.search(SPACE, settings={"training.epochs": 2}, home=home, inline=True, name="mine")


@pytest.mark.slow
class TestSearch:
    def test_the_table_is_the_leaderboard(self, found: automl.Search) -> None:
        table = found.trials()
        assert len(table) == 2
        assert {"rank", "trial", "outcome", "conv.filters", "weights"} <= set(table.columns)
        assert "params" not in table.columns
        assert list(table["rank"]) == [1, 2]
        assert table["trial"][0] == found.best["trial"] == found.summary["best"]["trial"]
        assert found.best["params"]["conv.filters"] == table["conv.filters"][0]

    def test_the_curves_have_a_row_an_epoch(self, found: automl.Search) -> None:
        curves = found.epochs()
        assert list(curves[["trial", "epoch"]].itertuples(index=False, name=None)) == [(1, 1), (1, 2), (2, 1), (2, 2)]
        assert curves["val_accuracy"].max() == found.trials()["val_accuracy"][0]

    def test_the_best_model_takes_raw_examples(self, found: automl.Search) -> None:
        predicted = found.model().predict(np.zeros((3, 8, 8, 1)), verbose=0)
        assert predicted.shape == (3, 10)

    def test_a_notebook_shows_the_leaderboard(self, found: automl.Search, monkeypatch: pytest.MonkeyPatch) -> None:
        assert repr(found) == f"Search('{found.id}')"
        shown = found._repr_html_()
        assert f"search {found.id}<" in shown
        assert shown.count("<tr") == 1 + 2
        monkeypatch.setattr(found_search, "SHOWN_TRIALS", 1)
        assert f"search {found.id}, the first 1 of 2 trials<" in found._repr_html_()
        assert found._repr_html_().count("<tr") == 1 + 1

    def test_it_goes_on(self, found: automl.Search, home: Path) -> None:
        shutil.copytree(found.home, home)
        further = automl.load_search(home=home).resume(trials=3, inline=True)
        assert further.id == found.id
        assert further.summary["trials"]["completed"] == len(further.trials()) == 3
        assert further.epochs()[:4].equals(found.epochs())
        assert len(found.trials()) == 2

    def test_it_is_found_again(self, found: automl.Search) -> None:
        assert automl.load_search(home=found.home) == found
        assert automl.load_search(found.id[:12], found.home) == found
        assert found.summary["status"] == "completed"


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (SPACE, {"trails": 3}, "search(trails=...): no such option. Did you mean 'trials'?"),
        (SPACE, {"output": "json"}, "no such option"),
    ],
)
def test_an_option_that_is_none_is_told(given: dict, options: dict, message: str, home: Path) -> None:
    with pytest.raises(ConfigError) as told:
        automl.search(given, home=home, **options)
    assert message in str(told.value)
    assert not home.exists()


def test_an_option_of_a_resume_that_is_none_is_told(home: Path) -> None:
    with pytest.raises(ConfigError) as told:
        automl.Search(home, "20261124-000000-abcd").resume(trails=3)
    assert "resume(trails=...): no such option. Did you mean 'trials'?" in str(told.value)


@pytest.mark.parametrize("notebook", [False, True])
def test_progress_is_no_error_in_a_notebook(
    notebook: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    if notebook:
        monkeypatch.setattr(builtins, "__IPYTHON__", True, raising=False)
    say = "import sys; sys.stderr.write('t001 done\\nError: a: b\\n')"
    with subprocess.Popen([sys.executable, "-c", say], stderr=subprocess.PIPE, text=True) as process:
        assert command._shown(process) == ["a: b"]
    assert tuple(capsys.readouterr()) == (("t001 done\n", "") if notebook else ("", "t001 done\n"))


def test_all_that_is_wrong_with_a_document_is_told(home: Path) -> None:
    wrong = {**SPACE, "training": {"epochs": 0, "batchsize": 3}}
    with pytest.raises(ConfigError) as told:
        automl.search(wrong, home=home)
    assert len(told.value.problems) == 2
    assert str(told.value).startswith("space.yaml:5:12: epochs does not fit. Expected at least 1; received 0.")
    assert "Did you mean 'batch_size'?" in str(told.value)
    assert not home.exists()


def test_what_is_not_there_is_told(home: Path) -> None:
    with pytest.raises(ConfigError, match="no search was made here yet"):
        automl.load_search(home=home)
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        automl.serach  # noqa: B018


SCRIPT = """\
import automl
found = automl.search("space.yaml")
print(found.summary["status"], len(found.trials()))
"""


@pytest.mark.slow
def test_a_script_needs_no_guard_and_ctrl_c_ends_its_search_well(home: Path) -> None:
    (home.parent / "space.yaml").write_text(QUICK.replace("trials: 2", "trials: 60").replace("max: 9", "max: 999"))
    (home.parent / "script.py").write_text(SCRIPT)
    script = subprocess.Popen(
        [sys.executable, "script.py"], env=environment(home), cwd=home.parent, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_for(journal_holds(home, '"event":"end"'), 200, script)
    script.send_signal(signal.SIGINT)
    out, err = script.communicate(timeout=120)
    assert script.returncode == 0, err
    status, trials = out.split()
    assert status == "stopped"
    assert 1 <= int(trials) < 60
    assert "t001/60" in err
    assert begun(home).name in err


def test_a_search_without_a_score_has_no_best(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from automl.results import leaderboard

    monkeypatch.setattr(leaderboard, "best_trial", lambda *_: None)
    with pytest.raises(SearchError, match="has no scored trial yet"):
        automl.Search(home, "20261124-000000-abcd").model()


def test_the_public_names_are_those_that_are_listed() -> None:
    # In a process that has imported nothing else; listing them imports nothing heavy.
    code = "import sys, automl; print(*dir(automl)); print('keras' in sys.modules, 'mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    listed, heavy = done.stdout.splitlines()
    assert listed.split() == ["MlflowTuner", "Search", "Space", "__version__", "load_search", "load_space", "search"]
    assert heavy == "False False"
    for name in listed.split():
        assert getattr(automl, name)
