"""The playground's JavaScript gives what Python gives on the same parameters, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from nda.negatives import Blemish, negative_from_name
from nda.negatives.named import settings_of
from nda.report.pictures.heat import overlay, warmth
from tests.support.browser import CHROMIUM, opened
from tests.support.served import served

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is here")]
SCRIPTS = Path(__file__).resolve().parents[1] / "docs/assets/playground"
H, W = 24, 36  # not square, so that height is not taken for width
IMAGES = 4
SHOWN = ("jigsaw", "stitch", "cutout", "cutmix", "mixup", "blemish", "gaussian_noise")
EXACT = ("jigsaw:grid=2", "jigsaw:grid=4", "stitch", "cutmix:low=0.2,high=0.7", "horizontal_flip")
ROUNDED = (  # a half may be rounded the other way
    *("jigsaw:grid=3,seam=feather,width=2", "jigsaw:seam=feather,width=5", "jigsaw:seam=poisson"),
    *("jigsaw:grid=4,seam=poisson", "stitch:seam=feather,width=3", "stitch:seam=poisson"),
    *("cutout", "cutout:low=0.1,high=0.8", "cutmix:seam=feather", "cutmix:seam=poisson"),
    *("mixup", "mixup:alpha=2", "gaussian_noise", "gaussian_noise:std=0.4"),
)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with served(SCRIPTS) as address, opened(f"{address}/page.css") as page:
        yield page


def images() -> Tensor:
    """Smooth pictures with noise, and one that is black and white: uint8 (4, 3, H, W)."""
    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand(IMAGES, 3, 4, 6, generator=rng) * 255
    smooth = torch.nn.functional.interpolate(coarse, (H, W), mode="bilinear")
    noisy = (smooth + torch.randn(smooth.shape, generator=rng) * 12).clamp(0, 255)
    noisy[-1] = (noisy[-1] > 128) * 255
    return noisy.round().to(torch.uint8)


def given(image: Tensor) -> dict[str, Any]:
    return {"height": image.shape[-2], "width": image.shape[-1], "data": image.flatten().tolist()}


def plain(params: dict[str, Tensor], sample: int) -> dict[str, Any]:
    """One sample's parameters as the page has them."""
    found = {name: value[sample].tolist() for name, value in params.items()}
    if "noise" in found:
        found["noise"] = params["noise"][sample].flatten().tolist()
    own = "partner" in params and int(params["partner"][sample]) == sample
    return {**found, "own": own}


def replayed(page: Page, text: str, x: Tensor, params: dict[str, Tensor]) -> Tensor:
    name, _, settings = text.partition(":")
    said = dict(each.split("=") for each in settings.split(",") if each)
    numbers = {key: value if value.isalpha() else float(value) for key, value in said.items()}
    made = [
        page.evaluate(
            """async ([name, image, partner, params, settings]) => {
              const { NEGATIVES, defaults } = await import('./negatives.js');
              const negative = NEGATIVES[name];
              for (const each of [image, partner]) each.data = Uint8Array.from(each.data);
              const made = negative.replay(
                image, params, { ...defaults(negative), ...settings }, partner);
              return [...made.data]; }""",
            [
                name,
                given(x[sample]),
                given(x[int(params["partner"][sample]) if "partner" in params else sample]),
                plain(params, sample),
                numbers,
            ],
        )
        for sample in range(len(x))
    ]
    return torch.tensor(made).view_as(x)


def both(page: Page, text: str, seed: int = 0) -> tuple[Tensor, Tensor]:
    """What Python and the page make of the same images and parameters."""
    x, negative = images(), negative_from_name(text)
    params = negative.draw(x, torch.Generator().manual_seed(seed))
    return negative.replay(x, params).int(), replayed(page, text, x, params).int()


@pytest.mark.parametrize("text", EXACT)
def test_what_only_moves_pixels_is_the_same(page: Page, text: str) -> None:
    ours, theirs = both(page, text)
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("text", ROUNDED)
def test_what_computes_differs_by_a_rounding_at_most(page: Page, text: str) -> None:
    ours, theirs = both(page, text)
    assert (ours - theirs).abs().max() <= 1
    assert (ours != theirs).float().mean() < 0.01


@pytest.mark.parametrize("text", ["blemish", "blemish:seam=feather,width=2"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_blemishes_are_the_same_but_for_a_pixel_on_their_outline(
    page: Page, text: str, seed: int
) -> None:
    ours, theirs = both(page, text, seed)
    assert ((ours - theirs).abs() > 1).flatten(1).sum(1).max() <= 6


def test_boxes_and_stains_were_both_compared() -> None:
    stains = [
        Blemish().draw(images(), torch.Generator().manual_seed(seed))["stain"] for seed in range(3)
    ]
    assert 0 < torch.cat(stains).sum() < 3 * IMAGES


def test_controls_are_settings_of_python_and_so_are_the_names_below(page: Page) -> None:
    names = page.evaluate(
        """async () => {
          const { NEGATIVES, defaults, written } = await import('./negatives.js');
          return Object.entries(NEGATIVES).map(([name, negative]) => {
            const settings = defaults(negative), found = [written(name, settings)];
            for (const seam of negative.controls.seam?.values ?? [])
              found.push(written(name, { ...settings, seam }));
            return [name, Object.keys(negative.controls), found]; }); }"""
    )
    assert set(SHOWN) <= {name for name, *_ in names}
    for name, controls, written in names:
        assert set(controls) <= set(settings_of(name))
        for text in written:
            negative_from_name(text)
    (jigsaw,) = (written for name, _, written in names if name == "jigsaw")
    assert jigsaw[2] == "jigsaw:grid=2,seam=feather,width=3"


def test_draws_are_lawful_and_never_the_identity(page: Page) -> None:
    orders, boxes, weights = page.evaluate(
        """async () => {
          const { NEGATIVES: n } = await import('./negatives.js');
          const { Draws } = await import('./random.js');
          const draws = new Draws(1), image = { height: 24, width: 36 };
          const times = (make) => Array.from({ length: 600 }, make);
          return [times(() => n.jigsaw.draw(draws, image, { grid: 2 }).permutation),
            times(() => n.cutout.draw(draws, image, { low: 0.25, high: 0.5 }).box),
            times(() => n.mixup.draw(draws, image, { alpha: 25 }).weight)]; }"""
    )
    assert len({tuple(order) for order in orders}) == 23
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert [0, 1, 2, 3] not in orders
    top, left, tall, wide = np.array(boxes).T
    assert (tall.min(), tall.max(), wide.min(), wide.max()) == (6, 12, 9, 18)
    assert (top.min(), left.min(), (top + tall).max(), (left + wide).max()) == (0, 0, H, W)
    assert abs(np.mean(weights) - 0.5) < 0.02
    assert abs(np.std(weights) - 0.5 / np.sqrt(51)) < 0.01


def test_a_seed_draws_the_same_and_another_one_does_not(page: Page) -> None:
    first, again, other = page.evaluate(
        """async () => {
          const { Draws } = await import('./random.js');
          return [1, 1, 2].map((seed) => {
            const draws = new Draws(seed);
            return [draws.share(), draws.normal(), draws.whole(0, 9)]; }); }"""
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("size", [(200, 150), (50, 70), (97, 96), (96, 300), (96, 96), (5, 4)])
def test_images_are_resized_as_pillow_does(page: Page, size: tuple[int, int]) -> None:
    pixels: NDArray[np.uint8] = np.random.default_rng(0).integers(
        0, 256, (size[1], size[0], 3), dtype=np.uint8
    )
    by_pillow = Image.fromarray(pixels).resize((96, 96), Image.Resampling.LANCZOS)
    found = page.evaluate(
        """async (image) => {
          const { toSquare } = await import('./resize.js');
          image.data = Uint8Array.from(image.data);
          return [...toSquare(image, 96).data]; }""",
        given(torch.from_numpy(pixels).permute(2, 0, 1)),
    )
    ours = np.asarray(by_pillow).transpose(2, 0, 1).flatten()
    assert np.array_equal(ours, np.array(found))


def test_heat_is_coloured_as_on_the_pages_of_runs(page: Page) -> None:
    calibration = torch.linspace(-3, 3, 150)
    maps = torch.randn(1, 6, 6, generator=torch.Generator().manual_seed(1)) * 3
    x = images()[:1, :, :, :24]
    as_high = (calibration >= maps.flatten()[:, None]).sum(1).view_as(maps)
    heat = warmth((1 + as_high) / 151, 0.01)
    found = page.evaluate(
        """async ([image, map, calibration]) => {
          const { overlay, warmth } = await import('./heat.js');
          return [...overlay(image, warmth(map, calibration, 0.01), 6).data]; }""",
        [given(x[0]), maps.flatten().tolist(), calibration.tolist()],
    )
    assert 0 < heat.mean() < 1
    assert (overlay(x, heat).int().flatten() - torch.tensor(found)).abs().max() <= 1
