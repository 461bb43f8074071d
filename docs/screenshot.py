"""Takes pictures of what a browser shows: `python docs/screenshot.py ADDRESS OUT.png [--height 800]`.

ADDRESS is the page that a search or `automl ui` prints, or the file of a report. Needs `pip install playwright` and
a Chromium at /usr/bin/chromium; neither is a dependency of the project. Ends with 1 where the page reports an error.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")


def main(address: str, out: str, height: int) -> int:
    """Opens a page, waits until it is drawn, and saves what the browser shows; returns how many errors it had."""
    local = Path(address)
    url = local.absolute().as_uri() if local.exists() else address
    errors: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=list(QUIET))
        page = browser.new_page(viewport={"width": 1600, "height": height})
        if local.exists():
            page.context.set_offline(True)
            page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
            page.on("requestfailed", lambda request: errors.append(request.url))
        page.goto(url)
        page.wait_for_timeout(1_000 if local.exists() else 15_000)
        if (assistant := page.get_by_label("Close", exact=True)).count():
            assistant.first.click()
            page.wait_for_timeout(1_000)
        page.screenshot(path=out)
        browser.close()
    for error in errors:
        print(error, file=sys.stderr)
    return len(errors)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("out")
    parser.add_argument("--height", type=int, default=800)
    asked = parser.parse_args()
    sys.exit(bool(main(asked.address, asked.out, asked.height)))
