"""The site is built from its pages, and every link of it leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import REPO

LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
FETCHED = re.compile(
    r"<(?:script|img|iframe)[^>]*\ssrc=\"(?:https?:)?//|<link[^>]*rel=\"(?:stylesheet|preconnect|icon)\"[^>]*//"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="the site is built by mkdocs-material: pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, cwd=REPO,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_it_is_built_without_a_warning(site: Path) -> None:
    assert (site / "index.html").is_file()
    assert (site / "search" / "search_index.json").is_file()


def test_a_reader_without_a_network_sees_all_of_it(site: Path) -> None:
    pages = [*site.rglob("*.html")]
    assert len(pages) > 30
    assert not [page for page in pages if FETCHED.search(page.read_text("utf-8"))]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_the_pages_of_the_repository_link_to_what_is_there(name: str) -> None:
    assert not [link for link in LINK.findall((REPO / name).read_text("utf-8")) if not (REPO / link).exists()]


def test_a_newcomer_reads_three_minutes() -> None:
    text = (REPO / "README.md").read_text("utf-8")
    assert len(text.split()) < 750
    assert re.findall(r"^make \w+", text, re.MULTILINE) == ["make demo", "make test"]
    assert re.findall(r"!\[[^]]+\]\(([^)]+)\)", text) == ["docs/report.png", "docs/mlflow_runs.png"]
