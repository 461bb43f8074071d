"""Homes of any name, and homes that were moved or copied with their store."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from automl.errors import ConfigError, SearchError
from automl.journal import Finished, Header, History
from automl.journal.settings import Kept
from automl.results import relocation
from automl.tracking import BestModel, Store, Tracker, store

SEARCH = "20261123-010203-abcd"
T0 = 1_700_000_000_000


def new_home(home: Path, empty_store: Path) -> Path:
    home.mkdir(parents=True)
    shutil.copy(empty_store, home / "mlflow.db")
    return home


def tell(where: Store, number: int = 1) -> Tracker:
    tracker = Tracker(where, "digits", SEARCH)
    tracker.start(name="s", params={}, tags={}, experiment_yaml="a: 1\n", dataset=None, time_ms=T0)
    tracker.trial_started(number, {"a": number}, "a: 1\n", T0)
    tracker.close()
    assert not tracker.behind
    return tracker


def texts(where: Store, tracker: Tracker) -> list[str]:
    """Returns the artifacts of the trials, as MLflow finds them."""
    client = where.client()
    return [Path(client.download_artifacts(run, "trial.yaml")).read_text() for run in tracker.trial_run_ids.values()]


def kept(where: Store, tracker: Tracker) -> str:
    """Returns where the artifacts of the only trial are kept."""
    (run_id,) = tracker.trial_run_ids.values()
    return str(where.client().get_run(run_id).info.artifact_uri)


class TestNames:
    @pytest.mark.parametrize("name", ["50% off", "100%25", "why?", "a?b=c", "a#b", "my runs", "ä&;@:,+"])
    def test_a_home_may_be_called_anything_and_all_of_it_is_inside(
        self, name: str, tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        home = new_home(tmp_path / name / "mlruns", empty_store)
        where = store(home)
        assert where.file == home / "mlflow.db"
        assert where.is_file
        assert not where.is_missing
        tracker = tell(where)
        assert texts(where, tracker) == ["a: 1\n"]
        assert {path.name for path in tmp_path.iterdir()} == {name}
        assert {path.name for path in home.iterdir()} >= {"mlflow.db", "artifacts"}
        # As a journal keeps it, and as a user may give it to MLflow.
        assert store(tmp_path / "other", where.shown).file == where.file

    def test_a_new_store_is_made_inside_it(self, tmp_path: Path) -> None:
        home = tmp_path / "why%3F?" / "mlruns"
        store(home).prepare()
        assert [path.name for path in tmp_path.iterdir()] == ["why%3F?"]
        assert (home / "mlflow.db").stat().st_size > 0

    def test_an_address_keeps_what_it_says_behind_the_file(self, tmp_path: Path) -> None:
        found = store(tmp_path, f"sqlite:///{tmp_path}/my.db?timeout=5")
        assert (found.uri, found.file) == (f"sqlite:///{tmp_path}/my.db?timeout=5", tmp_path / "my.db")


class TestMoved:
    @pytest.fixture
    def network(self) -> Any:
        import keras

        return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])

    def test_runs_and_registered_models_follow_a_home(
        self, tmp_path: Path, empty_store: Path, network: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import mlflow

        home = new_home(tmp_path / "old" / "mlruns", empty_store)
        by_hand = store(home).client().create_experiment("by hand", f"{home.as_uri()}/artifacts/1")
        tracker = tell(store(home))
        assert tracker.log_best(network, BestModel(1, "m"))
        shutil.move(tmp_path / "old", tmp_path / "new %")
        where = store(tmp_path / "new %" / "mlruns")
        again = tell(where)
        assert again.trial_run_ids == tracker.trial_run_ids
        again = tell(where, 2)
        assert texts(where, again) == ["a: 1\n"] * 2
        monkeypatch.setenv("MLFLOW_TRACKING_URI", where.shown)
        assert mlflow.pyfunc.load_model("models:/m@champion").metadata.metadata["trial"] == 1
        location = where.client().get_experiment(by_hand).artifact_location
        assert location == f"{(tmp_path / 'new %').as_uri()}/mlruns/artifacts/1"
        assert not (tmp_path / "old").exists()

    def test_a_copys_store_names_the_copys_artifacts(self, tmp_path: Path, empty_store: Path) -> None:
        home = new_home(tmp_path / "old", empty_store)
        tracker = tell(store(home))
        shutil.copytree(home, tmp_path / "copy")
        where = store(tmp_path / "copy")
        where.prepare()
        assert kept(where, tracker).startswith(f"{tmp_path.as_uri()}/copy/artifacts/")
        assert kept(store(home), tracker).startswith(f"{home.as_uri()}/artifacts/")

    def test_what_another_home_keeps_itself_stays_there(self, tmp_path: Path, empty_store: Path) -> None:
        home = new_home(tmp_path / "shared", empty_store)
        other = store(tmp_path / "other", f"sqlite:///{home}/mlflow.db")
        tracker = tell(other)
        (home / "artifacts").mkdir()
        store(home).prepare()
        assert kept(other, tracker).startswith(f"{tmp_path.as_uri()}/other/artifacts/")

    def test_another_way_to_the_same_folder_is_no_move(self, tmp_path: Path, empty_store: Path) -> None:
        home = new_home(tmp_path / "real", empty_store)
        tracker = tell(store(home))
        (tmp_path / "link").symlink_to(home)
        store(tmp_path / "link").prepare()
        assert kept(store(home), tracker).startswith(f"{home.as_uri()}/artifacts/")


class TestJournal:
    def history(self, home: Path | None, tracking_uri: str, **settings: Any) -> History:
        given = {"source": None, "data_root": None, **({"home": str(home)} if home else {})}
        given |= {"tracking_uri": tracking_uri, **settings}
        content = {"model": [], "data": {"name": "d", "root": str(home.parent) if home else "/gone"}}
        return History(Header(SEARCH, T0, content, None, (), 0, 1, "jax", {}, "host", given))

    def test_what_moved_with_the_project_is_found_again(self, tmp_path: Path) -> None:
        old, new = tmp_path / "old" / "mlruns", tmp_path / "n?w" / "mlruns"
        new.mkdir(parents=True)
        (new.parent / "space.yaml").touch()
        named = {"space": str(old.parent / "space.yaml"), "data": str(old.parent / "gone.yaml"), "options": []}
        history = self.history(old, f"sqlite:///{old}/mlflow.db", source=named, data_root="/gone")
        history.finished = Finished("completed", "done", T0, 1, {}, {"tracking_uri": f"sqlite:///{old}/mlflow.db"})
        found = relocation.followed(history, new)
        assert found.finished
        assert found.finished.result == {"tracking_uri": store(new).shown}
        header = found.header
        assert header.settings["source"] == named | {"space": str(new.parent / "space.yaml")}
        assert header.settings["data_root"] == "/gone"
        assert header.document["data"]["root"] == str(new.parent)
        assert store(new, relocation.tracking_uri(header, None)) == store(new)

    def test_what_stayed_where_it_was_stays(self, tmp_path: Path) -> None:
        old, new = tmp_path / "project" / "mlruns", tmp_path / "disk" / "mlruns"
        new.mkdir(parents=True)
        old.parent.mkdir()
        for folder in (old, new):
            (folder.parent / "space.yaml").touch()
        named = {"space": str(old.parent / "space.yaml"), "data": "digits"}
        history = self.history(old, f"sqlite:///{tmp_path}/team.db", source=named)
        header = relocation.followed(history, new).header
        assert header.settings["source"] == named
        assert header.document["data"]["root"] == str(old.parent)
        assert header.settings["tracking_uri"] == f"sqlite:///{tmp_path}/team.db"

    def test_a_journal_of_an_earlier_version_tells_its_home_by_its_store(self, tmp_path: Path) -> None:
        history = self.history(None, f"sqlite:///{tmp_path}/gone/mlflow.db")
        header = relocation.followed(history, tmp_path / "here").header
        assert header.settings["tracking_uri"] == f"sqlite:///{tmp_path}/here/mlflow.db"
        (tmp_path / "gone").mkdir()
        (tmp_path / "gone" / "mlflow.db").touch()  # somebody else's, as far as can be known
        assert relocation.followed(history, tmp_path / "here") is history

    def test_a_home_that_stayed_changes_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        history = self.history(tmp_path / "mlruns", f"sqlite:///{tmp_path}/mlruns/mlflow.db")
        monkeypatch.chdir(tmp_path)
        assert relocation.followed(history, Path("mlruns")) is history

    def test_a_journal_that_lacks_a_setting_says_so_wherever_its_home_is(self, tmp_path: Path) -> None:
        header = Header("s", 1, {}, None, (), 0, 1, "tensorflow", {}, "here", Kept({"home": "/gone/mlruns"}, "j:1"))
        with pytest.raises(SearchError, match="j:1: the header event: settings: it lacks tracking_uri"):
            relocation.followed(History(header), tmp_path)

    def test_a_store_whose_folder_is_gone_is_not_made_anew(self, tmp_path: Path) -> None:
        header = self.history(tmp_path, f"sqlite:///{tmp_path}/gone/team.db").header
        with pytest.raises(ConfigError, match=r"^--tracking-uri: the store .* is gone: there is no folder .*/gone"):
            relocation.tracking_uri(header, None)
        assert relocation.tracking_uri(header, "http://127.0.0.1:1") == "http://127.0.0.1:1"
