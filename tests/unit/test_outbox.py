"""What waits to be told to MLflow, while the way there is slow or broken."""

from __future__ import annotations

import logging
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST, INVALID_PARAMETER_VALUE, TEMPORARILY_UNAVAILABLE
from sqlalchemy.exc import InterfaceError, OperationalError

from automl.tracking import Tracker, outbox, store
from automl.tracking.outbox import Outbox, Page, line

LOST = InterfaceError("SELECT 1", {}, Exception("connection already closed"))
GONE = OperationalError("SELECT 1", {}, Exception("the database system is starting up"))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FLUSH_S", 0.0)
    monkeypatch.setattr(outbox, "FIRST_PAUSE_S", 0.01)


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes a call and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def wrapped(error: Exception, code: int) -> Exception:
    raised = MlflowException(str(error), error_code=code)
    raised.__cause__ = error
    return raised


def answered(status: int) -> Exception:
    return requests.HTTPError("no", response=SimpleNamespace(status_code=status))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "is_dropped"),
    [
        (GONE, False),
        (LOST, False),
        (wrapped(GONE, TEMPORARILY_UNAVAILABLE), False),
        # MLflow's word for whatever SQLAlchemy says but the first.
        (wrapped(LOST, BAD_REQUEST), False),
        (requests.ConnectionError("refused"), False),
        (answered(503), False),
        (answered(401), False),
        (answered(413), True),
        (MlflowException("too long", error_code=INVALID_PARAMETER_VALUE), True),
        (ValueError("a mistake of ours"), True),
    ],
)
def test_what_may_pass_is_kept_and_what_is_refused_is_dropped(error: Exception, is_dropped: bool) -> None:
    def write(page: Page) -> None:
        raise error

    box = Outbox(write, "here")
    box.put(Page(1, 0))
    assert (len(box.queue), box.dropped) == ((0, 1) if is_dropped else (1, 0))


def test_a_first_failure_is_tried_again_at_once(caplog: pytest.LogCaptureFixture) -> None:
    told: list[bool] = []

    def write(page: Page) -> None:
        told.append(box.has_failed)
        if len(told) == 1:
            raise requests.ConnectionError("an idle connection was closed")

    box = Outbox(write, "here")
    box.put(Page(1, 0))
    # The second try knows that the first one may have been heard.
    assert told == [False, True]
    assert not box.queue
    assert not caplog.records


def test_what_is_told_while_a_page_goes_out_comes_after_it() -> None:
    going, goes_on = threading.Event(), threading.Event()
    written: list[tuple[int | None, dict[str, object]]] = []

    def write(page: Page) -> None:
        written.append((page.trial, dict(page.tags)))
        going.set()
        assert goes_on.wait(10)

    box = Outbox(write, "far", aside=True)
    box.put(Page(1, 0, tags={"a": 1}))
    assert going.wait(10)
    box.put(Page(1, 0, tags={"b": 2}))
    box.put(Page(2, 0, tags={"c": 3}))
    box.put(Page(1, 0, tags={"d": 4}))
    goes_on.set()
    box.flush()
    assert written == [(1, {"a": 1}), (1, {"b": 2, "d": 4}), (2, {"c": 3})]
    assert not box.queue


def test_a_server_that_never_answers_holds_nobody_up(
    silent: str, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setattr(outbox, "QUICK_S", 0.5)
    tracker = Tracker(store(home, silent), "digits", "20261123-010203-abcd")
    tracker.start(name="cnn", params={}, tags={}, experiment_yaml="", dataset=None, time_ms=0)
    slowest = 0.0
    for step in range(1, 15):
        began = time.monotonic()
        tracker.epoch(1, step, {"loss": 1.0}, 0)
        tracker.flush_if_due()
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.05)
    assert slowest < 0.5
    tracker.close()
    assert tracker.behind
    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 2


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            OperationalError("SELECT name FROM runs", {"a": 1}, sqlite3.OperationalError("database is locked")),
            "the database is locked: another program writes to it",
        ),
        (
            wrapped(OperationalError("INSERT INTO x", (), sqlite3.OperationalError("disk is full")), BAD_REQUEST),
            "disk is full",
        ),
        (sqlite3.DatabaseError("file is not a database"), "file is not a database"),
        (ValueError("two\n  lines (of text)"), "two lines (of text)"),
        (ValueError(), "ValueError"),
    ],
)
def test_an_error_is_told_in_a_line_without_the_statement(error: Exception, text: str) -> None:
    assert line(error) == text


class TestRefused:
    def box(self, *raised: Exception | None) -> Outbox:
        answers = iter(raised)

        def write(_: Page) -> None:
            if (error := next(answers)) is not None:
                raise error

        found = Outbox(write, "here")
        found.put(Page(1, 0))
        found.put(Page(2, 0))
        found.flush(now=True)
        return found

    def test_what_is_refused_would_be_refused_again(self) -> None:
        box = self.box(ValueError("never"), None)
        assert (box.dropped, box.has_refused, box.trouble) == (1, True, "never")

    def test_what_passes_may_be_told_again(self) -> None:
        box = self.box(*[GONE] * 9)
        assert (len(box.queue), box.has_refused, box.trouble) == (2, False, "the database system is starting up")
