"""Options that several commands take, each said once."""

from __future__ import annotations

from pathlib import Path

import click

data = click.option("--data", help="Name or file of the data set; else the document's own.")
trials = click.option("--trials", type=click.IntRange(min=1), help="Trials in all.")
workers = click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Trials at once.")
algorithm = click.option("--algorithm", help="Search algorithm: bayesian, tpe, gp, random, grid, hyperband.")
scheduler = click.option("--scheduler", help="What stops trials that promise little: asha, hyperband, median, none.")
seed = click.option("--seed", type=int, help="Seed of the search.")
settings = click.option(
    "--set", "options", multiple=True, metavar="PATH=VALUE", help="Write a value into the document."
)
tracking = click.option("--tracking-uri", help="MLflow tracking server; else $MLFLOW_TRACKING_URI, else ./mlruns.")
backend = click.option("--backend", help="Keras backend: tensorflow, jax, torch; else $KERAS_BACKEND.")
root = click.option("--data-root", type=click.Path(file_okay=False, path_type=Path), help="Parent folder of data sets.")
inline = click.option("--inline", is_flag=True, help="Run trials in this process, for debugging.")
