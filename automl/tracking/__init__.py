"""MLflow, the mirror of a search: every trial to look at and to compare. The journal is the truth, this is its picture.

The only room that knows MLflow; everything given to it is plain data. Every write may be repeated: a run is found again
by its tag, a point of a metric that stands there is left alone. So after an interruption, or a day without the server,
telling the same story again completes the mirror and doubles nothing.
"""

from __future__ import annotations

from automl.tracking import address
from automl.tracking.address import redacted, same_address
from automl.tracking.earlier_runs import EarlierRun, earlier_runs
from automl.tracking.fetching import Fetched, fetch, measured, search_of
from automl.tracking.finals import Final
from automl.tracking.limits import key_text, value_text
from automl.tracking.model import BestModel
from automl.tracking.outbox import line
from automl.tracking.search_runs import DatasetInput
from automl.tracking.serve import serve, serve_model, while_wanted
from automl.tracking.store import Store, store
from automl.tracking.tracker import Tracker
from automl.tracking.view import View

__all__ = [
    "BestModel",
    "DatasetInput",
    "EarlierRun",
    "Fetched",
    "Final",
    "Store",
    "Tracker",
    "View",
    "address",
    "earlier_runs",
    "fetch",
    "key_text",
    "line",
    "measured",
    "redacted",
    "same_address",
    "search_of",
    "serve",
    "serve_model",
    "store",
    "value_text",
    "while_wanted",
]
