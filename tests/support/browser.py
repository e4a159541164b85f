"""The system's Chromium, headless, for tests of pages; they skip where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@contextmanager
def opened(
    address: str,
    *,
    width: int = 1280,
    scheme: Literal["light", "dark"] = "light",
    js: bool = True,
    expected: str = "",
) -> Iterator[Page]:
    """A page in a window of its own; what its console says fails the test, unless `expected`."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium is here")
    said: list[str] = []
    with playwright.sync_playwright() as driver:
        flags = ["--no-sandbox"]  # tests may run as root, whom it does not serve otherwise
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=js
        )
        page.set_default_timeout(10_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        yield page
        browser.close()
    said = [words for words in said if not expected or expected not in words]
    assert said == [], "; ".join(said)
