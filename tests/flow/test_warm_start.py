"""A search that starts from what earlier ones found."""

from __future__ import annotations

from pathlib import Path

import pytest
from searches import automl, begun, client_of
from spaces import QUICK

from automl.journal import replay, results
from automl.records.objective import Goals

pytestmark = pytest.mark.slow


def test_the_first_trials_are_the_best_of_an_earlier_search(new_home: Path) -> None:
    space, wider = new_home.parent / "space.yaml", new_home.parent / "wider.yaml"
    space.write_text(QUICK)
    earlier = automl(new_home, "search", space, "--trials", "4", "--inline")
    assert earlier.returncode == 0, earlier.stderr
    first = begun(new_home).name
    trials = replay(begun(new_home)).trials
    ended = [results.result(trial.ended, None) for trial in trials.values() if trial.ended]
    best = [trials[number].asked.values["conv.filters"] for number in Goals.single("val_accuracy", "max").ranks(ended)]

    # Another space: one of the values does not fit any more, and one parameter is new.
    wider.write_text(
        QUICK.replace("filters: {min: 1, max: 9}", f"filters: {{values: {best[:1] + best[2:]}}}").replace(
            "kernel_size: 1", "kernel_size: {values: [1, 3]}"
        )
    )
    warm = automl(new_home, "search", wider, "--trials", "6", "--warm-start", "few_digits", "--inline")
    assert warm.returncode == 0, warm.stderr
    assert "warm start: 2 points from 3 of 4 runs that fit; best val_accuracy" in warm.stderr
    assert f"conv.filters is never '{best[1]}'" in warm.stderr
    (folder,) = [path for path in begun_all(new_home) if path.name != first]
    told = replay(folder)
    expected = [{"conv.filters": value, "conv.kernel_size": 1} for value in (best[0], best[2])]
    assert [dict(told.trials[number].asked.values) for number in (1, 2)] == expected
    assert told.header.document["search"]["start"] == expected

    # The journal holds the points themselves: a resume needs no store to read them from, and sees no change.
    for run in client_of(new_home).search_runs(["1"]):
        if run.data.tags.get("automl.trial", "").startswith(first):
            client_of(new_home).delete_run(run.info.run_id)
    more = automl(new_home, "resume", folder.name, "--trials", "7", "--inline")
    assert more.returncode in (0, 3), more.stderr
    assert "it changed since the search began" not in more.stderr


def begun_all(home: Path) -> list[Path]:
    return sorted(path.parent for path in (home / "searches").glob("*/journal.jsonl"))


def test_what_is_not_found_leaves_nothing_behind(new_home: Path) -> None:
    space = new_home.parent / "space.yaml"
    space.write_text(QUICK)
    found = automl(new_home, "search", space, "--warm-start", "few_digit")
    assert found.returncode == 2
    assert found.stderr.startswith("Error: --warm-start few_digit: no experiment, search or run is called so.")
    assert not (new_home / "searches").exists()
    alone = automl(new_home, "search", space, "--warm-start-points", "2")
    assert alone.returncode == 2
    assert "--warm-start-points says how many points --warm-start takes" in alone.stderr
