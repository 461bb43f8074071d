"""What `automl search` prints, where, and with which exit code, in processes of their own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from searches import automl, client_of, parent_run, program
from spaces import QUICK

pytestmark = pytest.mark.slow

KEYS = {"search_id", "status", "trials", "best", "wall_s", "tracking_uri", "experiment_id", "run_id"}


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def test_the_result_is_one_line_of_json_and_progress_goes_to_stderr(home: Path) -> None:
    done = program(
        home, "search", write(home.parent, "quick.yaml", QUICK), "--workers", "2", "--name", "mine", "-o", "json"
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    result = json.loads(line)
    assert result.keys() >= KEYS
    assert result["status"] == "completed"
    assert result["trials"] == {"completed": 2, "failed": 0, "stopped": 0, "timeout": 0, "infeasible": 0}
    best = result["best"]
    assert best.keys() >= {"trial", "score", "params", "run_id", "model_uri", "test"}
    assert best["params"].keys() == {"conv.filters"}
    assert best["test"].keys() == {"test_accuracy", "test_f1", "test_auc", "test_loss"}
    assert best["model_uri"].startswith("models:/")
    assert result["tracking_uri"] == f"sqlite:///{home}/mlflow.db"
    assert 0 < result["wall_s"] < 300

    lines = done.stderr.splitlines()
    assert lines[0] == f"search {result['search_id']}: 2 trials"
    assert sorted(line[:4] for line in lines[1:] if "  completed  " in line) == ["t001", "t002"]
    majority, linear, *trials, champion, beaten = lines[1:]
    assert re.fullmatch(r"baseline majority: val_accuracy [\d.]+", majority)
    assert re.fullmatch(r"baseline linear: val_accuracy [\d.]+", linear)
    assert {line[:4] for line in trials} == {"t001", "t002"}  # where they take long, that is said meanwhile
    assert re.fullmatch(r"mine: version 1 \([\d.]+\) is the champion", champion)
    # Two epochs of two filters are no match for it.
    assert re.fullmatch(r"the winner does not beat the baseline linear: val_accuracy [\d.]+ against 0.9\d*", beaten)
    assert result["beaten_by"] == "linear"
    assert result["baselines"].keys() == {"majority", "linear"}
    assert not any("\x1b" in line for line in lines)

    client = client_of(home)
    parent = parent_run(client, result["search_id"])
    assert parent.info.run_id == result["run_id"]
    assert "report.html" in {item.path for item in client.list_artifacts(result["run_id"])}
    assert parent.info.experiment_id == result["experiment_id"]
    assert client.get_run(best["run_id"]).data.metrics["score"] == best["score"]
    assert client.get_model_version_by_alias("mine", "champion").run_id == result["run_id"]


def test_no_success_is_exit_code_3(home: Path) -> None:
    document = QUICK.replace("kernel_size: 1", "kernel_size: 99")
    done = automl(home, "search", write(home.parent, "large.yaml", document), "--inline", "-o", "json")
    assert done.returncode == 3
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["best"] is None
    # What cannot be built takes no trial's place: all nine points were tried.
    assert result["trials"]["infeasible"] == 9
    assert result["reason"] == "all 9 points of the space were tried"
    assert "no trial succeeded" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    client = client_of(home)
    assert parent_run(client, result["search_id"]).info.status == "FAILED"
    assert not client.search_registered_models()
    assert automl(home, "best").returncode == 3
    resumed = automl(home, "resume", "-o", "json")
    assert (resumed.returncode, json.loads(resumed.stdout)) == (3, result)


def test_a_dead_tracking_server_does_not_stop_a_search(home: Path) -> None:
    file = write(home.parent, "quick.yaml", QUICK)
    done = program(home, "search", file, "--tracking-uri", "http://user:secret@127.0.0.1:9", "--inline", "-o", "json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["trials"]["completed"] == 2
    assert result["run_id"] is None
    assert result["best"]["run_id"] is None
    assert result["best"]["model_uri"] is None
    assert result["best"]["test"]["test_accuracy"] >= 0
    assert "MLflow at http://***@127.0.0.1:9" in done.stderr
    assert "secret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert automl(home, "export", "-f", "keras", "--to", home.parent / "kept.keras").returncode == 0
    assert (home.parent / "kept.keras").stat().st_size > 0


CSV = """name: mine
source: {csv: {file: points.csv, target: kind, shape: [4, 4, 1]}}
input: image
task: classification
"""


def points(examples: int) -> str:
    rng = np.random.default_rng(0)
    names = [f"p{number}" for number in range(16)]
    rows = [[*map(str, rng.integers(0, 255, 16)), ("cat", "dog")[number % 2]] for number in range(examples)]
    return "\n".join(",".join(row) for row in [[*names, "kind"], *rows]) + "\n"


def test_a_csv_beside_its_document_is_found(home: Path) -> None:
    folder = home.parent / "elsewhere"
    write(folder, "points.csv", points(60))
    data = write(folder, "mine.yaml", CSV)
    space = write(home.parent, "space.yaml", QUICK.partition("\ndata:")[0])
    done = automl(home, "search", space, "--data", data, "--trials", "1", "--inline", "-o", "json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    version = client_of(home).get_model_version_by_alias("space-mine", "champion")
    assert version.run_id == result["run_id"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (points(60).replace("kind", "species"), "kind"),
        (points(3), "example"),
        ("", "points.csv"),
        (None, "points.csv"),
    ],
    ids=["no such column", "too few examples", "an empty file", "no file"],
)
def test_a_data_error_starts_nothing(home: Path, text: str | None, told: str) -> None:
    folder = home.parent / "elsewhere"
    data = write(folder, "mine.yaml", CSV)
    if text is not None:
        write(folder, "points.csv", text)
    space = write(home.parent, "space.yaml", QUICK.partition("\ndata:")[0])
    done = program(home, "search", space, "--data", data, "-o", "json")
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert told in line
    assert done.stdout == ""
    assert not home.exists(), "something was left behind"
