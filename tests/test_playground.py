"""The playground's page: built with the site, asked in a browser, beside Python's detector."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

import nda
from tests.support.browser import CHROMIUM, opened
from tests.support.served import served

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("material", reason="the group docs is not installed")
ROOT = Path(__file__).resolve().parents[1]
HOOKS = ROOT / "docs/hooks"
HOOK = "docs/hooks/playground.py"
NEGATIVES = 8
TOLERANCE = 1e-4
in_browser = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is here"),
]


class Site(NamedTuple):
    folder: Path
    hook: ModuleType  # as the build used it


def built(folder: Path, *, runtime: Any = None) -> Site:
    """All pages as text, strictly, and the playground with a detector that has learned little."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    config = load_config(
        str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True, plugins=[], hooks=[HOOK]
    )
    hooks: Any = config.hooks
    hook = hooks[HOOK]
    hook.detector.cache_clear()
    hook._FITTED, hook.fitted = 60, quickly
    if runtime is not None:
        hook.web_runtime = runtime
    build(config)
    return Site(folder, hook)


def quickly(normal: Any) -> nda.AnomalyDetector:
    settings = {"resolution": 96, "width": 8, "steps": 3, "false_alarm_rate": 0.1}
    return nda.AnomalyDetector(**settings, device="cpu").fit(normal)


@pytest.fixture(scope="module")
def beside() -> Iterator[None]:
    """Hooks import each other, as mkdocs lets them."""
    before = list(sys.path)
    sys.path.insert(0, str(HOOKS))
    yield
    sys.path[:] = before


@pytest.fixture(scope="module")
def site(beside: None, tmp_path_factory: pytest.TempPathFactory) -> Site:
    pytest.importorskip("onnxscript")
    from web_runtime import AbsentError, web_runtime  # type: ignore[import-not-found]

    try:
        web_runtime()
    except AbsentError as error:
        pytest.skip(str(error))
    return built(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def address(site: Site) -> Iterator[str]:
    with served(site.folder) as address:
        yield f"{address}/playground/"


@pytest.fixture(scope="module")
def bare(beside: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page as it is built where npm is not."""
    from web_runtime import AbsentError

    def none() -> None:
        raise AbsentError("npm, which brings ONNX Runtime Web, was not there")

    folder = tmp_path_factory.mktemp("bare")
    built(folder, runtime=none)
    assert not list(folder.rglob("*.onnx")) + list(folder.rglob("*.wasm"))
    with served(folder) as address:
        yield f"{address}/playground/"


def judged(page: Page) -> Page:
    """The page, once every verdict is there."""
    page.set_default_timeout(60_000)
    page.wait_for_function(
        f"document.querySelectorAll('.verdict[data-score]').length === {NEGATIVES + 1}"
    )
    return page


def choose(page: Page, file: Path) -> None:
    page.get_by_label("Drop an image here, or choose one").set_input_files(file)
    page.wait_for_function(
        "name => document.querySelector('.bench canvas').ariaLabel === name", arg=file.name
    )
    page.wait_for_function(
        "name => document.querySelectorAll('.bench canvas')[1].ariaLabel === `Heat of ${name}`",
        arg=file.name,
    )


def picture(path: Path, width: int, height: int) -> Path:
    pixels = np.random.default_rng(width).integers(0, 256, (height // 8, width // 8, 3))
    image = Image.fromarray(pixels.astype(np.uint8)).resize((width, height))
    image.save(path)
    return path


def found(page: Page) -> tuple[float, float]:
    """Score and p-value of the image chosen."""
    said = page.locator(".bench .verdict")
    return float(said.get_attribute("data-score") or 0), float(said.get_attribute("data-p") or 0)


class TestInTheBrowser:
    pytestmark = in_browser

    def test_an_image_gets_the_score_that_python_gives(
        self, address: str, site: Site, tmp_path: Path
    ) -> None:
        detector = site.hook.detector()
        with opened(address) as page:
            judged(page)
            for size in ((96, 96), (240, 136), (40, 72)):
                file = picture(tmp_path / f"{size[0]}.png", *size)
                choose(page, file)
                score, p_value = found(page)
                by_python = detector.predict(str(file))
                ours = float(by_python.scores[0])
                assert abs(score - ours) <= TOLERANCE * max(1, abs(ours))
                assert p_value == pytest.approx(float(by_python.p_values[0]), abs=1e-6)

    def test_a_dropped_image_is_taken_as_one_that_is_chosen(
        self, address: str, tmp_path: Path
    ) -> None:
        content = list(picture(tmp_path / "a.png", 120, 80).read_bytes())
        with opened(address) as page:
            judged(page)
            choose(page, tmp_path / "a.png")
            chosen = found(page)
            page.get_by_role("button", name="a good board").click()
            page.evaluate(
                """content => { const files = new DataTransfer();
                  files.items.add(new File([new Uint8Array(content)], 'dropped.png'));
                  document.querySelector('.drop').dispatchEvent(
                    new DragEvent('drop', { dataTransfer: files, bubbles: true })); }""",
                content,
            )
            page.get_by_role("img", name="Heat of dropped.png", exact=True).wait_for()
            assert found(page) == chosen

    def test_every_negative_differs_from_the_image_and_has_heat(self, address: str) -> None:
        with opened(address) as page:
            judged(page)
            changed = page.evaluate(
                """() => { const pixels = (canvas) => canvas.getContext('2d')
                    .getImageData(0, 0, 96, 96).data.join();
                  const image = pixels(document.querySelector('.bench canvas'));
                  return [...document.querySelectorAll('.negative')].map((card) => {
                    const [made, heat] = card.querySelectorAll('canvas');
                    return [pixels(made) !== image, heat.offsetWidth > 0]; }); }"""
            )
            assert changed == [[True, True]] * NEGATIVES

    def test_it_asks_no_other_host(self, address: str) -> None:
        asked: list[str] = []
        with opened("about:blank") as page:
            page.on("request", lambda request: asked.append(request.url))
            page.goto(address)
            judged(page)
        below = address.removesuffix("playground/")
        assert [url for url in asked if not url.startswith((below, "blob:", "data:"))] == []

    def test_the_keyboard_changes_a_setting_and_the_name_below(self, address: str) -> None:
        with opened(address) as page:
            judged(page)
            card = page.get_by_role("region", name="cutout")
            before = card.locator("code.name").inner_text()
            card.get_by_label("high").press("ArrowRight")
            page.wait_for_function(
                "text => document.querySelector('[aria-labelledby=of-cutout] code.name')"
                ".textContent !== text",
                arg=before,
            )
            assert card.locator("code.name").inner_text() == "cutout:low=0.35,high=0.55"
            card.get_by_label("low").press("End")
            page.wait_for_function(
                "document.querySelector('[aria-labelledby=of-cutout] code.name')"
                ".textContent === 'cutout:low=0.95,high=0.95'"
            )

    def test_what_is_no_picture_is_told_of(self, address: str, tmp_path: Path) -> None:
        (tmp_path / "words.png").write_text("no picture")
        with opened(address) as page:
            judged(page)
            page.get_by_label("Drop an image here").set_input_files(tmp_path / "words.png")
            said = "words.png is not shown: it is no picture that this browser can read."
            page.get_by_text(said).wait_for()

    @pytest.mark.parametrize("width", [390, 1280])
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_it_fits_every_window_and_says_what_is_what(
        self, address: str, width: int, scheme: Any
    ) -> None:
        with opened(address, width=width, scheme=scheme) as page:
            judged(page)
            assert page.evaluate("document.documentElement.scrollWidth") == width
            unnamed = page.evaluate(
                "[...document.querySelectorAll('.playground :is(button, input, select, canvas)')]"
                ".filter((e) => !(e.ariaLabel || e.ariaHidden || e.textContent.trim()"
                " || e.labels?.length)).length"
            )
            assert unnamed == 0
            faint = page.evaluate(
                """() => { const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3)
                    .map((v) => (v / 255 <= 0.04 ? v / 3295 : ((v / 255 + 0.055) / 1.055) ** 2.4))
                    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
                  const paper = light(getComputedStyle(document.body).backgroundColor);
                  return [...document.querySelectorAll('.playground .verdict')].filter((e) => {
                    const ink = light(getComputedStyle(e).color);
                    const [dark, pale] = [ink, paper].sort((a, b) => a - b);
                    return (pale + 0.05) / (dark + 0.05) < 4.5; }).length; }"""
            )
            assert faint == 0

    def test_without_npm_the_page_says_so_and_shows_the_negatives(self, bare: str) -> None:
        with opened(bare) as page:
            said = page.locator(".bench .verdict")
            page.wait_for_function("document.querySelector('.bench .verdict').textContent")
            assert said.inner_text() == (
                "There are no verdicts here: npm, which brings ONNX Runtime Web, was not there as "
                "this was built."
            )
            page.get_by_role("img", name="jigsaw of a good board").wait_for()


class TestTheRuntime:
    @pytest.fixture
    def runtime(self, beside: None, own_cache: Path) -> ModuleType:
        import web_runtime

        return web_runtime

    def test_another_content_is_refused_and_not_kept(
        self, runtime: ModuleType, own_cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(runtime, "_packed", lambda: b"another package")
        with pytest.raises(runtime.TamperedError, match="has another SHA-512 than the one in"):
            runtime.web_runtime()
        assert not list(own_cache.rglob("*.tgz"))

    def test_a_kept_package_is_checked_again(self, runtime: ModuleType, own_cache: Path) -> None:
        package = own_cache / "site" / f"onnxruntime-web-{runtime.VERSION}.tgz"
        package.parent.mkdir()
        package.write_bytes(b"changed since")
        with pytest.raises(runtime.TamperedError):
            runtime.web_runtime()

    def test_without_npm_it_is_absent(
        self, runtime: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(runtime.AbsentError, match="npm, which brings"):
            runtime.web_runtime()

    def test_where_npm_fails_it_is_absent(
        self, runtime: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(*_: Any, **__: Any) -> None:
            raise subprocess.CalledProcessError(1, "npm")

        monkeypatch.setattr(runtime.shutil, "which", lambda _: "npm")
        monkeypatch.setattr(runtime.subprocess, "run", fails)
        with pytest.raises(runtime.AbsentError, match="npm could not bring"):
            runtime.web_runtime()
