from __future__ import annotations

import pytest

from automl.errors import ConfigError
from automl.tracking import same_address


def test_a_resume_finds_the_store_the_search_was_begun_with(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert same_address("sqlite:////home/me/mlruns/mlflow.db") == "sqlite:////home/me/mlruns/mlflow.db"


def test_a_password_is_not_kept_and_asked_for_again(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ConfigError, match=r"--tracking-uri: the address .* held a password, which is not kept"):
        same_address("postgresql://***@host/db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:secret@host/db")
    assert same_address("postgresql://***@host/db") is None
