"""The example runs as it stands, and what it hands over is what anomalib's own generator gives."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

EXAMPLE = Path(__file__).parents[2] / "examples" / "anomalib_faults.py"


def test_a_network_learns_where_faults_are_from_normal_images_alone() -> None:
    assert runpy.run_path(str(EXAMPLE))["main"]() > 0.9


@pytest.mark.parametrize("shape", [(3, 48, 40), (6, 3, 48, 40)])
def test_it_gives_images_and_masks_as_anomalibs_generator_does(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    images = torch.rand(shape)
    found, mask = runpy.run_path(str(EXAMPLE))["faults"]()(images)
    assert (found.shape, found.dtype) == (images.shape, images.dtype)
    assert (mask.shape, mask.dtype) == ((*shape[:-3], 1, *shape[-2:]), torch.float32)
    untouched = (mask == 0).expand_as(images)
    assert torch.equal(found[untouched], images[untouched])
