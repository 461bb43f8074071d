"""A plan, and the search it was made for: the record tells the one beside the other."""

from __future__ import annotations

import json
import subprocess

import pytest
import searches
from spaces import DIGITS

DOCUMENT = """model:
  - conv: {filters: {values: [2, 4]}, kernel_size: 3, pool: max}
training: {epochs: 2, batch_size: 32}
search: {seed: 3, trials: 2, algorithm: random}
"""
DOCUMENT += DIGITS


def planned(home, *args):
    done = searches.automl(home, "plan", "small.yaml", "--samples", "3", "-o", "json", *args)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_search_tells_what_was_planned_for_it(home):
    (home.parent / "small.yaml").write_text(DOCUMENT)
    plan = planned(home)
    assert plan["configurations"] == 2
    assert plan["infeasible_share"] == 0
    assert plan["weights"]["least"] > 0
    assert [each["trial"] for each in plan["measured"]] == [1, 2]
    low, high = plan["predicted_range_s"]
    assert low < plan["predicted_s"] < high <= 3.01 * low

    search = searches.make(home, "small", DOCUMENT, inline=True)
    assert search.summary.predicted_s == [low, high]
    metrics = search.parent.data.metrics
    began, ended = search.summary.trials_s
    assert metrics["search_s"] == pytest.approx(ended - began, abs=1e-3)
    assert 0 < began < ended < search.summary.wall_s
    # Seconds are the journal's, wherever they are told.
    assert search.summary.wall_s == pytest.approx(search.history.seconds, abs=1e-3)
    status = json.loads(searches.automl(home, "status", "-o", "json").stdout)
    assert status["seconds"] == pytest.approx(search.summary.wall_s, abs=0.06)
    assert metrics["search_planned_low_s"] == pytest.approx(low, abs=0.1)
    # Another search is not the one that was planned.
    other = searches.make(home, "other", DOCUMENT.replace("seed: 3", "seed: 4"), inline=True)
    assert other.summary.predicted_s is None
    assert "search_s" not in other.parent.data.metrics


@pytest.mark.slow
def test_the_defaults_are_taken_apart(home):
    done = subprocess.run(
        searches.command("plan", "lenet", "--defaults", "--input", "28x28x1", "--classes", "10", "-o", "json"),
        capture_output=True, text=True, check=True, env=searches.environment(home), cwd=home.parent, timeout=120,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert (found["parameters"], found["trainable_parameters"]) == (61_706, 61_706)
    # 28*28*6*25 + 10*10*16*150 + 400*120 + 120*84 + 84*10
    assert found["macs"] == 117_600 + 240_000 + 48_000 + 10_080 + 840
    assert found["layers"][-1]["output"] == [10]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("cnn",), "no data to plan for. Name a data set with --data, or give --defaults with --input."),
        (("cnn", "--defaults", "--input", "28"), "--input: not a shape. Expected height x width x channels"),
    ],
)
def test_what_cannot_be_planned_is_told(args, message, monkeypatch):
    import os

    from click.testing import CliRunner

    from automl.cli import main

    for name in os.environ:
        monkeypatch.setenv(name, os.environ[name])  # put back what the command sets
    result = CliRunner().invoke(main, ["plan", *args])
    assert result.exit_code == 2
    assert message in result.stderr
