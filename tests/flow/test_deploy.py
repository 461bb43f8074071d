"""A finished model taken along: exported, asked for answers, measured on other data, served."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from searches import Search, client_of, make
from servers import free_port

from automl.cli import main
from automl.deploy import bundle, kept
from automl.deploy.finished import found as found_model
from automl.errors import AutomlError

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")]

TABLE = """model: [entity_embedding, {dense: {units: 4}}]
training: {epochs: 2, batch_size: 32}
search: {algorithm: random, trials: 1, baselines: false}
data:
  name: people
  source: {csv: {file: people.csv, decimal: ","}}
  input: {table: {categories: [month]}}
  task: {classification: {target: answer}}
"""


def people(folder: Path) -> Path:
    """Writes a table of numbers, percentages, words and numbers that name something, with gaps."""
    rng, count = np.random.default_rng(0), 200
    age = rng.integers(18, 90, count)
    table = pd.DataFrame({
        "postcode": [f"{code:05d}" for code in rng.integers(0, 30, count)],
        "age": [f"{each},5" for each in age],
        "share": [f"{each} %" for each in rng.integers(0, 100, count)],
        "colour": rng.choice(["red", "grün", "NA"], count),
        "month": rng.integers(1, 13, count),
        "answer": np.where(age > 50, "yes", "no"),
    })  # fmt: skip
    table.loc[::7, "age"] = ""
    table.loc[0, "postcode"] = "X1"
    table.to_csv(folder / "people.csv", index=False, sep=",", quoting=1)
    return folder / "people.csv"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> tuple[Search, Path]:
    """A search on a table, and rows that came later: with words and orders of columns that it did not have."""
    import shutil

    folder = tmp_path_factory.mktemp("table")
    home = folder / "mlruns"
    home.mkdir()
    shutil.copy(empty_store, home)
    rows = pd.read_csv(people(folder), dtype=str, keep_default_na=False).drop(columns="answer")[:40]
    rows.loc[3, "colour"] = "violet"
    rows.loc[4, "postcode"] = "00007"
    rows[["month", "colour", "share", "postcode", "age"]].to_csv(folder / "later.csv", index=False, quoting=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOML_DATA", str(folder))
        return make(home, "people", TABLE, inline=True), folder


def run(home: Path, *line: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in line], prog_name="automl", env={"AUTOML_HOME": str(home)})


def done(home: Path, *line: str | Path) -> Result:
    result = run(home, *line)
    assert result.exit_code == 0, result.output
    return result


def alone(folder: Path, *files: Path) -> pd.DataFrame:
    """Returns what an exported folder's own program says, where this package is not on the path."""
    told = program(folder, *files)
    assert told.returncode == 0, told.stderr
    return pd.read_csv(io.StringIO(told.stdout))


def program(folder: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-IB", str(folder / bundle.PROGRAM), *map(str, files)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, cwd="/")


def test_rows_that_came_later_are_read_as_the_set_was(table: tuple[Search, Path], tmp_path: Path) -> None:
    found, folder = table
    done(found.home, "predict", "last", folder / "later.csv", "--to", tmp_path / "a.csv", "--probabilities")
    answers = pd.read_csv(tmp_path / "a.csv")
    assert answers["example"].tolist() == [*range(1, 41)]
    assert set(answers["prediction"]) <= {"yes", "no"}
    # The same rows as they were prepared: the model is given the very same numbers.
    with found_model(found.home, None) as finished:
        data = finished.kept.data
        from automl.data.later import unlabelled

        ((rows, x),) = unlabelled(data, [folder / "later.csv"]).batches(1000)
    assert rows.tolist() == [*range(40)]
    (spec,) = data.inputs
    words = spec.state["words"]
    assert list(words) == ["postcode", "colour", "month"]
    given = pd.read_csv(folder / "later.csv", dtype=str, keep_default_na=False)
    colours = x["table"][:, 3]
    assert colours[3] == 0  # violet: unknown
    assert [words["colour"]["names"][int(place) - 1] for place in np.delete(colours, 3)] == given["colour"].drop(
        3
    ).tolist()
    assert x["table"][1, 1] == pytest.approx(float(given["share"][1].rstrip(" %")) / 100)
    assert np.isnan(x["table"][0, 0])
    assert x["table"][1, 0] == float(given["age"][1].replace(",", "."))


def test_from_python_it_is_a_table(table: tuple[Search, Path]) -> None:
    import automl

    found, folder = table
    answers = automl.load_search(found.summary.search_id, home=found.home).predict(folder / "later.csv")
    printed = done(found.home, "predict", "last", folder / "later.csv").stdout.splitlines()[1:]
    assert answers["prediction"].tolist() == [line.split(",")[1] for line in printed]


@pytest.mark.parametrize("ending", [".json", ".jsonl", ".parquet"])
def test_answers_are_written_in_every_form(table: tuple[Search, Path], tmp_path: Path, ending: str) -> None:
    found, folder = table
    printed = done(found.home, "predict", "last", folder / "later.csv").stdout.splitlines()
    assert printed[0] == "example,prediction,probability"
    to = tmp_path / f"a{ending}"
    done(found.home, "predict", "last", folder / "later.csv", "--to", to)
    read = {".json": pd.read_json, ".parquet": pd.read_parquet}.get(ending, lambda path: pd.read_json(path, lines=True))
    answers = read(to)
    assert len(answers) == len(printed) - 1 == 40
    assert answers["prediction"].tolist() == [line.split(",")[1] for line in printed[1:]]
    again = run(found.home, "predict", "last", folder / "later.csv", "--to", to)
    assert again.exit_code == 2
    assert "the file exists already" in again.stderr


def test_an_exported_folder_reads_the_same_rows_by_itself(table: tuple[Search, Path], tmp_path: Path) -> None:
    found, folder = table
    result = done(found.home, "export", "-f", "onnx", "-f", "litert", "--to", tmp_path / "out", "-o", "json")
    rows = json.loads(result.stdout)
    assert [row["format"] for row in rows] == ["onnx", "litert"]
    assert all(row["difference"] < 1e-5 and row["agreement"] == 1 for row in rows)
    done(found.home, "predict", "last", folder / "later.csv", "--to", tmp_path / "a.csv", "--probabilities")
    expected = pd.read_csv(tmp_path / "a.csv")
    for row in rows:
        told = alone(Path(row["written"]), folder / "later.csv")
        assert told["prediction"].tolist() == expected["prediction"].tolist()
        assert list(told) == list(expected)
        np.testing.assert_allclose(told["probability"], expected["probability"], atol=1e-5)
    # What it cannot read rightly it refuses in a line, which names the place.
    head, row = "postcode,age,share,colour,month\n", '1,"40,5",3 %,red,4\n'
    bad = {
        "": "expected one column 'postcode'; received 0",
        head.replace("age", "share") + row: "expected one column 'age'; received 0",
        head.replace("age", "age,age") + row: "expected one column 'age'; received 2",
        head + row + "1,2,3 %\n": "row 2: expected 5 values; received 3",
        head + row + row.replace("3 %", "3"): "row 2, column 'share': '3'; expected a percentage",
        head + row.replace("40,5", "40 %"): "row 1, column 'age': '40 %'; expected a plain number",
        head + row.replace("40,5", "forty"): "row 1, column 'age': 'forty'; expected a plain number",
        head + row.replace("40,5", "1e39"): "example 1: no number, or one that float32 does not hold",
        head: "no examples in " + str(tmp_path / "bad.csv"),
    }
    for content, what in bad.items():
        (tmp_path / "bad.csv").write_text(content)
        refused = program(Path(rows[0]["written"]), tmp_path / "bad.csv")
        assert (refused.returncode, refused.stdout.count("\n")) == (1, 0), content
        assert "Traceback" not in refused.stderr
        assert "RuntimeWarning" not in refused.stderr
        line = refused.stderr.splitlines()[-1]
        assert line.startswith("predict.py: ")
        assert line.endswith(what)
    # What was found is told on the model's page.
    client = client_of(found.home)
    (model,) = client.search_logged_models([found.summary.experiment_id])
    figures = {metric.key: metric.value for metric in model.metrics}
    assert figures["export/onnx_difference"] == rows[0]["difference"]
    assert figures["export/litert_median_ms"] > 0
    again = run(found.home, "export", "-f", "onnx", "--to", tmp_path / "out")
    assert again.exit_code == 2
    assert "the folder exists already" in again.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["people-people-litert", "people-people-onnx"]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("import os; os._exit(139)", "onnx: its converter ended without a word. Nothing is written"),
        ("raise OSError(28, 'No space left on device')", "onnx: the disk is full. Nothing is written"),
    ],
)
def test_a_converter_that_fails_costs_its_own_format_alone(
    table: tuple[Search, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, told: str
) -> None:
    found, _ = table
    (tmp_path / "crash").mkdir()
    (tmp_path / "crash" / "tf2onnx.py").write_text(fault)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "crash"))
    (tmp_path / "out").mkdir()
    result = run(found.home, "export", "-f", "onnx", "-f", "litert", "--to", tmp_path / "out", "-o", "json")
    assert result.exit_code == 1
    assert told in result.stderr.splitlines()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["people-people-litert"]


def test_what_differs_is_not_handed_over(
    table: tuple[Search, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from automl.export.onnx import Onnx

    found, _ = table
    monkeypatch.setattr(Onnx, "tolerance", -1.0)
    refused = run(found.home, "export", "-f", "onnx", "--to", tmp_path / "out")
    assert refused.exit_code == 1
    assert "onnx: its answers differ from Keras's by up to" in refused.stderr
    assert not list((tmp_path / "out").iterdir())
    kept_all_the_same = done(found.home, "export", "-f", "onnx", "--to", tmp_path / "out", "--force")
    assert "its answers differ" in kept_all_the_same.stderr
    assert json.loads((tmp_path / "out" / "people-people-onnx" / bundle.TOLD).read_text())["found"]["problem"]


def test_a_model_is_measured_on_other_data(table: tuple[Search, Path], tmp_path: Path) -> None:
    found, folder = table
    env = {"AUTOML_HOME": str(found.home), "AUTOML_DATA": str(folder)}
    invoke = lambda *line: CliRunner().invoke(main, [*line], prog_name="automl", env=env)
    own = json.loads(invoke("evaluate", "last", "-o", "json").stdout)
    assert own["part"] == "test"
    for name, value in found.winner["test"].items():
        assert own["metrics"][name.removeprefix("test_")] == pytest.approx(value, abs=1e-5)
    assert [row["class"] for row in own["classes"]] == ["no", "yes"]
    assert sum(row["examples"] for row in own["classes"]) == own["examples"] == 40
    document = tmp_path / "other.yaml"
    document.write_text(
        f"source: {{csv: {{file: {folder}/people.csv, decimal: ','}}}}\ninput: table\n"
        "task: {classification: {target: answer}}\n"
    )
    everything = json.loads(invoke("evaluate", "last", "--data", str(document), "-o", "json").stdout)
    assert everything["examples"] == 200
    document.write_text(document.read_text().replace("answer", "colour"))
    strangers = invoke("evaluate", "last", "--data", str(document))
    assert strangers.exit_code == 2
    assert "has other classes than the model" in strangers.stderr
    document.write_text(document.read_text().replace("classification: {target: colour}", "regression: {target: month}"))
    assert "is for another task than the model" in invoke("evaluate", "last", "--data", str(document)).stderr


def test_a_registered_model_is_found_by_its_address_and_its_run(table: tuple[Search, Path], tmp_path: Path) -> None:
    found, folder = table
    by_name = done(found.home, "predict", "models:/people-people@champion", folder / "later.csv").stdout
    assert by_name == done(found.home, "predict", str(found.summary.run_id), folder / "later.csv").stdout
    assert by_name == done(found.home, "predict", found.winner["run_id"], folder / "later.csv").stdout
    assert by_name == done(found.home, "predict", "last", folder / "later.csv").stdout
    # Its own data is known where its search is; elsewhere it has to be named.
    measured = done(found.home, "evaluate", "models:/people-people@champion", "-o", "json").stdout
    assert measured == done(found.home, "evaluate", "last", "-o", "json").stdout
    away = f"sqlite:///{found.home}/mlflow.db"
    alone = run(tmp_path, "evaluate", "models:/people-people@champion", "--tracking-uri", away)
    assert alone.exit_code == 2
    assert "Name the data set with --data" in alone.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("predict", "nosuch", "later.csv"), "nosuch: no search is called so"),
        (("predict", "later.csv", "later.csv"), "is a file, no model. Name the model first: automl predict last"),
        (("predict", "last", "gone.csv"), "no such file or folder"),
        (("predict", "last", "people.yaml"), "is not UTF-8 text"),
        (("predict", "last", "rows.npz"), "is no text. Expected text in UTF-8; received a ZIP archive"),
        (("predict", "last", "later.csv", "--to", "a.txt"), "the form of the answers is not known"),
        (("predict", "last", "later.csv", "--to", "gone/a.csv"), "there is no such folder to write into"),
        (("predict", "models:/nosuch@champion", "later.csv"), "models:/nosuch@champion: is not there"),
        (("predict", "models:/m@champion", "later.csv", "--tracking-uri", "http://127.0.0.1:9"), "cannot be read from"),
        (("predict", "models:/people-people/x", "later.csv"), "is no address of a model"),
        (("predict", "0" * 32, "later.csv"), "is not there"),
        (("export", "last", "-f", "onx"), "Did you mean 'onnx'?"),
        (("export", "last", "-f", "onnx", "--quantize", "float16"), "onnx is not written with float16"),
        (("export", "last", "-f", "onnx", "--to", "later.csv"), "is no folder to write into"),
        (("evaluate", "last", "--data", "nosuch"), "nosuch"),
        (("serve", "nosuch"), "no search is called so"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    table: tuple[Search, Path], line: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, folder = table
    (folder / "people.yaml").write_bytes(b"\x00\xff")
    np.savez(folder / "rows.npz", x=np.arange(300.0))
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    result = run(found.home, *line)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""
    assert sorted(folder.iterdir()) == before


def test_what_is_kept_with_a_model_may_be_damaged_or_of_an_earlier_version(
    table: tuple[Search, Path], tmp_path: Path
) -> None:
    found, folder = table
    file = found.folder / kept.KEPT
    text = file.read_text()
    try:
        file.write_text("{")
        assert (
            "what is kept with the model cannot be read"
            in run(found.home, "predict", "last", folder / "later.csv").stderr
        )
        file.unlink()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AUTOML_DATA", str(folder))
            done(found.home, "predict", "last", folder / "later.csv", "--to", tmp_path / "a.csv")
            (folder / "people.csv").rename(folder / "away.csv")
            gone = run(found.home, "predict", "last", folder / "later.csv")
        assert "kept no examples with the model, and the data is gone" in gone.stderr
        assert gone.exit_code in (1, 2)
    finally:
        file.write_text(text)
        (folder / "away.csv").rename(folder / "people.csv")


def test_a_server_answers_raw_rows_with_labels(table: tuple[Search, Path]) -> None:
    found, folder = table
    port = free_port()
    words = [sys.executable, "-m", "automl", "serve", "last", "--port", str(port)]
    variables = {**os.environ, "AUTOML_HOME": str(found.home), "KERAS_BACKEND": "tensorflow"}
    with subprocess.Popen(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            assert any(f"answers on http://127.0.0.1:{port}/invocations" in line for line in server.stdout)
            later = pd.read_csv(folder / "later.csv", dtype=str, keep_default_na=False)
            rows = [
                {
                    **row,
                    "age": float(row["age"].replace(",", ".")) if row["age"] else None,
                    "share": float(row["share"][:-2]) / 100,
                    "month": int(row["month"]),
                }
                for row in later.to_dict("records")
            ]
            answers = pd.DataFrame(asked(port, {"inputs": rows}))
            expected = [
                line.split(",")
                for line in done(found.home, "predict", "last", folder / "later.csv").stdout.splitlines()[1:]
            ]
            assert answers["prediction"].tolist() == [row[1] for row in expected]
            np.testing.assert_allclose(answers["probability"], [float(row[2]) for row in expected], atol=1e-5)
            (likely, *_) = asked(port, {"inputs": rows, "params": {"give": "probabilities"}})
            assert set(likely) == {"no", "yes"}
            with pytest.raises(urllib.error.HTTPError) as error:
                asked(port, {"inputs": [{"age": 1}]})
            assert "there is no column 'postcode'" in error.value.read().decode()
        finally:
            server.terminate()


def asked(port: int, content: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(content).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())["predictions"]


def test_pictures_and_arrays_are_predicted(finished: Callable[[str], Search], tmp_path: Path) -> None:
    found = finished("random")
    x = np.random.default_rng(0).uniform(0, 16, (5, 8, 8))
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "two.npz", x=x[..., np.newaxis])
    answers = done(found.home, "predict", "last", tmp_path / "x.npy", tmp_path / "two.npz").stdout.splitlines()[1:]
    assert [line.split(",", 1)[1] for line in answers[:5]] == [line.split(",", 1)[1] for line in answers[5:]]
    assert answers[9].startswith("10,")
    np.save(tmp_path / "wrong.npy", x[:, :7])
    wrong = run(found.home, "predict", "last", tmp_path / "wrong.npy")
    assert "examples are not of the model's shape. Expected 8x8x1; received 7x8x1" in wrong.stderr
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "pickled objects" in run(found.home, "predict", "last", tmp_path / "objects.npy").stderr
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    other = run(found.home, "predict", "last", tmp_path / "table.csv").stderr
    assert "cannot be read as arrays" in other
    assert "of another format" in other


def test_a_search_without_a_model_has_nothing_to_give(home: Path) -> None:
    with pytest.raises(AutomlError, match="no search was made here yet"), found_model(home, None):
        pass
