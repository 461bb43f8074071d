"""Documents that are edited while their search is interrupted."""

import pytest

from automl.driver import changed_document
from automl.driver.progress import Watcher
from automl.errors import ConfigError
from automl.experiment import experiment
from automl.journal import Asked, Header, History, TrialHistory

SPACE = """\
model:
  - conv: {repeat: {min: 1, max: 2}, filters: {min: 1, max: 9, each: true}}
search: {trials: 4}
"""


class Said(Watcher):
    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines += text.splitlines()


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.yaml").write_text(SPACE)
    return tmp_path / "space.yaml"


def history(*asked):
    """A search of the file as it is now, that asked for these points."""
    read = experiment.load("space.yaml", None, ["training.epochs=3"], {"seed": 5})
    source = changed_document.source("space.yaml", None, ("training.epochs=3",), {"seed": 5})
    header = Header("s", 0, read.document.data, None, (), 5, 1, "jax", {}, "here", {"space": "space", "source": source})
    return History(header, {n: TrialHistory(Asked(n, values, 0, 0)) for n, values in enumerate(asked, start=1)})


POINT = {"conv.repeat": 2, "conv.filters.1": 3, "conv.filters.2": 8}


def test_nothing_changed(file, tmp_path, monkeypatch):
    told = history(POINT)
    monkeypatch.chdir("/")  # found again from any folder
    assert changed_document.settled(told, Said(), accept=False) == (told.header.document, False)
    file.unlink()  # the journal has all that is needed
    assert changed_document.settled(told, Said(), accept=False) == (told.header.document, False)


def test_a_change_is_shown_and_refused(file):
    told, said = history(POINT), Said()
    file.write_text(SPACE.replace("max: 9", "max: 20"))
    with pytest.raises(ConfigError, match=r"space.yaml: it changed since the search began.*--accept-changes"):
        changed_document.settled(told, said, accept=False)
    assert [line for line in said.lines if line[0] in "-+"] == [
        "--- when the search began",
        "+++ now",
        "-    filters: {min: 1, max: 9, each: true}",
        "+    filters: {min: 1, max: 20, each: true}",
    ]


def test_an_accepted_change_holds(file):
    told = history(POINT)
    file.write_text(SPACE.replace("max: 9", "max: 20"))
    document, changed = changed_document.settled(told, Said(), accept=True)
    assert changed
    assert document["model"][0]["conv"]["filters"]["max"] == 20
    assert document["search"] == {"trials": 4, "seed": 5}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("max: 9", "max: 5"),
        ("max: 2", "max: 1"),
        (", each: true", ""),
        ("trials: 4", "trials: 4, constraints: [sum(conv.filters) < 9]"),
    ],
)
def test_a_change_that_made_trials_do_not_fit_is_refused(file, before, after):
    told = history({"conv.repeat": 1, "conv.filters.1": 3}, POINT)
    file.write_text(SPACE.replace(before, after))
    with pytest.raises(ConfigError, match=r"trials that were made are no points of the space any more: .*2"):
        changed_document.settled(told, Said(), accept=True)


def test_a_document_that_can_no_longer_be_read_is_told(file):
    told = history(POINT)
    file.write_text("model: [dens]")
    with pytest.raises(ConfigError, match="dens"):
        changed_document.settled(told, Said(), accept=True)
