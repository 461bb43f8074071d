"""Takes the picture of the MLflow runs table: `python docs/screenshot.py http://127.0.0.1:5000 EXPERIMENT_ID OUT.png`.

Needs `pip install playwright` and a Chromium at /usr/bin/chromium; neither is a dependency of the project.
"""

from __future__ import annotations

import sys

from playwright.sync_api import sync_playwright


def main(address: str, experiment: str, out: str) -> None:
    """Opens the runs table of an experiment, unfolds the newest search, and saves what the browser shows."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"],
        )
        page = browser.new_page(viewport={"width": 1600, "height": 800})
        page.goto(f"{address}/#/experiments/{experiment}/runs")
        # The first button of a row with children unfolds them.
        unfold = page.locator("[role=row][row-index='0'] button").first
        unfold.wait_for(timeout=60_000)
        if (assistant := page.get_by_label("Close", exact=True)).count():
            assistant.first.click()
        unfold.click()
        page.get_by_text("t001", exact=True).first.wait_for(timeout=60_000)
        page.wait_for_timeout(2_000)
        page.screenshot(path=out)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:4])
