"""`predict` and `evaluate`: a finished model at work."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from automl.cli import _completion, _options, _output

GROUP = "Take it along"

_model = click.argument("model", metavar="SEARCH|RUN|MODEL", shell_complete=_completion.searches)


@click.command(short_help="Answers to raw files.")
@_model
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--to", type=click.Path(path_type=Path), help="File to write: .csv, .json, .jsonl, .parquet; else stdout."
)
@click.option("--probabilities", is_flag=True, help="Also the probability of every class.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@_options.tracking
def predict(
    model: str, files: tuple[Path, ...], to: Path | None, probabilities: bool, force: bool, tracking_uri: str | None
) -> None:
    """Predict FILES, of the form that the model's data set had (CSV, pictures or folders of them, ...), or arrays.

    The model is that of a search (an id or a part of it; `last`), the finalized one where there is one, of a run in
    MLflow (its id), or a registered one (models:/NAME@champion). The files may be larger than memory.
    """
    from automl.deploy import answers_file
    from automl.deploy.finished import found
    from automl.deploy.predict import Predictions
    from automl.machine import folders

    with found(folders.home(), _meant(model, files), tracking_uri) as finished:
        if to is None:
            answers = Predictions(finished, files)
            add = answers_file.as_csv(sys.stdout)
            for columns in answers.batches(probabilities=probabilities):
                add(columns)
            return
        with answers_file.opened(to, force=force) as add:
            answers = Predictions(finished, files)
            with click.progressbar(length=len(answers), label="predicted", file=sys.stderr, show_pos=True) as bar:
                for columns in answers.batches(probabilities=probabilities):
                    add(columns)
                    bar.update(len(columns["example"]))
    _output.say(f"{to}: {len(answers):,} examples", err=True)


def _meant(model: str, files: tuple[Path, ...] = ()) -> str | None:
    """Returns which model is named: None for that of the last search.

    Raises:
        ConfigError: It is a file: the model was left out.
    """
    from automl.errors import ConfigError, Problem

    if Path(model).is_file():
        hint = "Name the model first: automl predict last " + " ".join(map(str, (model, *files)))
        raise ConfigError(Problem(model, "is a file, no model", hint=hint))
    return None if model == "last" else model


@click.command(short_help="Every metric on labelled data, per class.")
@_model
@_options.data
@click.option(
    "--part",
    type=click.Choice(["all", "train", "val", "test"]),
    help="Part of the data; else all of --data, and the test part of the search's own.",
)
@_options.root
@_options.tracking
@_output.object_option
def evaluate(
    model: str, data: str | None, part: str | None, data_root: Path | None, tracking_uri: str | None, output: str
) -> None:
    """Measure a model on a data set with targets: every metric of its task, and those of each class.

    The model is that of a search (an id or a part of it; `last`), the finalized one where there is one, of a run in
    MLflow (its id), or a registered one (models:/NAME@champion).
    """
    from dataclasses import asdict

    from automl.deploy.evaluate import evaluate as measure
    from automl.deploy.finished import found, own_data
    from automl.experiment import experiment
    from automl.machine import folders

    home = folders.home()
    with found(home, _meant(model), tracking_uri) as finished:
        if data is None:
            document, evaluation = own_data(home, finished)
            if part in (None, "test"):
                _output.say("the test part was looked at before, at the end of the search", err=True)
            elif finished.final or part in ("train", "all"):
                _output.say("the model was trained on examples of this part, which tells little of new ones", err=True)
        else:
            document, evaluation = experiment.load_data(data), None
        told = measure(finished, document, part or ("all" if data else "test"), data_root, evaluation)  # type: ignore[arg-type]
    facts = asdict(told)
    if output != "table":
        _output.emit_object(facts, output)
        return
    classes = facts.pop("classes")
    _output.emit_facts(facts, output)
    if classes:
        _output.emit(classes, output)
