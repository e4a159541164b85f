"""Finding an image's template and its shift, against loops, known shifts and other light."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nda.networks.pretrained.registration import (
    Registration,
    correlations,
    relit,
    shifted,
    taps,
    within,
)

SIDE, ROOM = 64, 16


def scenes(count: int, seed: int = 0) -> Tensor:
    """Smooth pictures (count, 3, 96, 96) in about [-0.6, 0.6], larger than what is seen of them."""
    rng = torch.Generator().manual_seed(seed)
    large = SIDE + 2 * ROOM
    noise = torch.randn(count, 3, large, large, generator=rng)
    fine, coarse = (F.avg_pool2d(noise, size, 1, size // 2) for size in (3, 9))
    found = fine / fine.std() + coarse / coarse.std()
    return (found / found.abs().amax()).clamp(-1, 1) * 0.6


def seen(scene: Tensor, down: float = 0.0, right: float = 0.0) -> Tensor:
    """The middle of a scene that is moved by so many pixels, exactly: in its frequencies."""
    high, wide = (torch.fft.fftfreq(size) for size in scene.shape[-2:])
    turn = torch.exp(-2j * np.pi * (high[:, None] * down + wide * right))
    moved = torch.fft.ifft2(torch.fft.fft2(scene) * turn).real
    return moved[..., ROOM:-ROOM, ROOM:-ROOM]


def to_uint8(images: Tensor) -> Tensor:
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def registration_of(templates: Tensor) -> Registration:
    found = Registration(templates.shape[-1], len(templates))
    found.templates.copy_(to_uint8(templates))
    return found


def overlap(image: Tensor, down: int, right: int) -> Tensor:
    """What of an image (3, H, W) lies under another that is moved by so much."""
    high, wide = image.shape[1:]
    return image[:, max(0, down) : high + min(0, down), max(0, right) : wide + min(0, right)]


def test_correlations_are_those_of_what_overlaps_for_every_shift() -> None:
    rng = torch.Generator().manual_seed(3)
    images, templates = (torch.randn(count, 3, 10, 10, generator=rng) for count in (2, 3))
    found = correlations(images, templates + 0.3, 2)
    for b in range(2):
        for t in range(3):
            for down in range(-2, 3):
                for right in range(-2, 3):
                    x = overlap(images[b], down, right)
                    y = overlap(templates[t], -down, -right)
                    x, y = (each - each.mean(dim=(1, 2), keepdim=True) for each in (x, y))
                    expected = float((x * y).sum() / (x.norm() * y.norm()))
                    assert found[b, t, down + 2, right + 2] == pytest.approx(expected, abs=2e-3)


def test_template_and_shift_are_found_to_a_fraction_of_a_pixel() -> None:
    scene = scenes(5)
    rng = torch.Generator().manual_seed(1)
    shifts = (torch.rand(20, 2, generator=rng) * 2 - 1) * 6
    part = torch.arange(20) % 5
    images = torch.stack([seen(scene[n], *s) for n, s in zip(part, shifts.tolist(), strict=True)])
    number, shift, fit = registration_of(seen(scene)).find(images)
    assert torch.equal(number, part)
    assert float((shift - shifts).abs().max()) < 0.1
    assert float(fit.min()) > 0.5


@pytest.mark.parametrize("side", [16, 48, 112])
def test_any_side_is_searched(side: int) -> None:
    scene = F.interpolate(scenes(2), (side + 8, side + 8), mode="bicubic")
    templates, images = scene[:, :, 4:-4, 4:-4], scene[:, :, 3:-5, 5:-3]
    number, shift, _ = registration_of(templates).find(images)
    assert number.tolist() == [0, 1]
    torch.testing.assert_close(shift, torch.tensor([[1.0, -1.0]] * 2), atol=0.25, rtol=0)


def test_light_decides_neither_template_nor_shift() -> None:
    scene = scenes(4)
    registration, images = registration_of(seen(scene)), seen(scene, 2.3, -3.6)
    slope = torch.linspace(-0.1, 0.1, SIDE)
    number, shift, _ = registration.find(images)
    for other in (images * 0.4 + 0.3, images * 1.6 - 0.1, images + slope[:, None]):
        again, moved, _ = registration.find(other)
        assert torch.equal(again, number)
        torch.testing.assert_close(moved, shift, atol=0.05, rtol=0)


def test_a_fault_moves_nothing() -> None:
    scene = scenes(4)
    images = seen(scene, 1.7, 0.4)
    images[:, :, 20:36, 24:44] = 0.9
    number, shift, _ = registration_of(seen(scene)).find(images)
    assert number.tolist() == [0, 1, 2, 3]
    torch.testing.assert_close(shift, torch.tensor([[1.7, 0.4]] * 4), atol=0.1, rtol=0)


def test_each_image_by_itself_is_found_as_among_others() -> None:
    scene = scenes(4)
    registration = registration_of(seen(scene))
    images = seen(scene, -4.2, 5.1)
    together = registration(images)
    alone = torch.cat([registration(image[None]) for image in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_what_is_placed_is_the_image_itself_with_its_light() -> None:
    scene = scenes(3)
    images = seen(scene, 3.4, -2.2) * 0.7 + 0.2
    placed = registration_of(seen(scene))(images)
    assert float((placed - images).abs().mean()) < 0.01
    assert float((seen(scene) - images).abs().mean()) > 0.1
    assert torch.equal(placed[:, :, :3], images[:, :, :3])  # beyond the template's edge
    assert not torch.equal(placed[:, :, 4:], images[:, :, 4:])


def test_colours_are_not_taken_for_light() -> None:
    scene = scenes(2)
    images = seen(scene)
    images[:, 0] += 0.3
    placed = registration_of(seen(scene))(images)
    assert float((images - placed)[:, 0].mean()) > 0.15


def test_a_fault_stays_in_the_difference() -> None:
    scene = scenes(1)
    images = seen(scene, 2.5, 2.5)
    images[:, :, 20:30, 30:40] = 0.8
    apart = (images - registration_of(seen(scene))(images)).abs().amax(dim=1)[0]
    odd = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    odd[20:30, 30:40] = True
    assert float(apart[odd].median()) > 10 * float(apart[~odd].median())


def test_without_contrast_there_is_no_shift_and_nothing_is_infinite() -> None:
    scene = scenes(2)
    flat = torch.full((1, 3, SIDE, SIDE), 0.3)
    number, shift, fit = registration_of(torch.cat([flat, seen(scene)])).find(
        torch.cat([flat * 0.5, seen(scene)])
    )
    assert number.tolist() == [0, 1, 2]
    assert float(shift.abs().max()) < 0.1
    assert float(fit[0].abs()) < 1e-3
    only = registration_of(flat)
    placed = only(torch.cat([flat * 0.5, seen(scene)]))
    assert bool(placed.isfinite().all())
    torch.testing.assert_close(placed[:1], flat * 0.5, atol=0.01, rtol=0)


def test_a_shift_stays_within_an_eighth_of_the_side() -> None:
    scene = scenes(1)
    _, shift, _ = registration_of(seen(scene)).find(seen(scene, 11.0, 0.0))
    assert float(shift.abs().max()) <= SIDE / 8


@pytest.mark.parametrize("side", [64, 128, 144, 240, 304, 368, 528, 1024])
def test_shifts_of_an_eighth_are_within_reach_at_any_side(side: int) -> None:
    found = Registration(side, 1)
    assert side / 8 <= found.furthest <= side / 8 + found.factor
    edge = torch.zeros(1, 3, side, side)
    moved = shifted(edge + 1, torch.tensor([[float(found.furthest)] * 2]))
    assert moved.shape == edge.shape
    torch.testing.assert_close(moved, edge + 1)  # there is room beyond the edges for all of it


def test_whole_shifts_are_exact_and_others_are_right_for_parabolas() -> None:
    images = scenes(2)
    moved = shifted(images, torch.tensor([[3.0, -2.0], [0.0, 5.0]]))
    torch.testing.assert_close(moved[0, :, 3:, :-2], images[0, :, :-3, 2:])
    torch.testing.assert_close(moved[1, :, :, 5:], images[1, :, :, :-5])
    place = torch.arange(-4.0, 24.0)
    matrix = taps(torch.tensor([0.3]), 20, 4)[0]
    torch.testing.assert_close(matrix @ place**2, (torch.arange(20.0) - 0.3) ** 2)


def test_what_lies_within_the_moved_template() -> None:
    inside = within(torch.tensor([[2.0, 0.0], [-1.5, 0.0]]), 8)
    assert inside[0, 0, :, 4].tolist() == [0.0] * 2 + [1.0] * 6
    assert inside[1, 0, :, 4].tolist() == [1.0] * 6 + [0.5, 0.0]


def test_contrast_and_brightness_are_those_of_least_squares() -> None:
    rng = torch.Generator().manual_seed(0)
    template = torch.randn(1, 3, 8, 8, generator=rng)
    image = 1.3 * template - 0.4 + 0.1 * torch.randn(1, 3, 8, 8, generator=rng)
    weight = torch.rand(1, 1, 8, 8, generator=rng)
    found = relit(template, image, weight)
    root = weight.expand_as(image).flatten().sqrt().numpy()
    columns = np.stack([template.flatten().numpy(), np.ones(192)], axis=1)
    fit = np.linalg.lstsq(columns * root[:, None], image.flatten().numpy() * root, rcond=None)[0]
    np.testing.assert_allclose(found.flatten().numpy(), columns @ fit, atol=1e-3)
