"""Views of clips: one crop for all frames, colours for each."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from nda.data.augment.crops import Crops, cut
from nda.data.clips.views import ClipViews
from nda.data.images.image_set import to_float
from nda.errors import ShapeError

PLAIN = ClipViews(jitter_probability=0.0, grey=0.0)


@pytest.fixture
def still() -> Tensor:
    """Four clips of five equal frames of noise."""
    rng = torch.Generator().manual_seed(5)
    frame = torch.randint(256, (4, 1, 3, 12, 12), dtype=torch.uint8, generator=rng)
    return frame.expand(-1, 5, -1, -1, -1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_all_frames_of_a_clip_are_cropped_and_mirrored_alike(still: Tensor) -> None:
    view = PLAIN(still, generator=seeded())
    assert view.shape == (4, 5, 3, 12, 12)
    assert view.dtype == torch.float32
    assert torch.equal(view, view[:, :1].expand_as(view))
    assert not torch.equal(view[0], to_float(still[0]))


def test_each_clip_has_a_crop_of_its_own() -> None:
    same = torch.randint(256, (1, 2, 3, 12, 12), dtype=torch.uint8).expand(6, -1, -1, -1, -1)
    view = PLAIN(same, generator=seeded())
    assert len({tuple(clip.flatten().tolist()) for clip in view}) == 6


def test_each_frame_is_cropped_as_a_picture_would_be() -> None:
    """Against the crop of every frame by itself, with the parameters of its clip."""
    clips = torch.randint(256, (3, 4, 3, 10, 10), dtype=torch.uint8, generator=seeded(1))
    views = replace(PLAIN, size=8)
    params = views.draw(clips, seeded())
    found = views.replay(clips, params)
    for row in range(3):
        crops = Crops(params.crops.boxes[[row]], params.crops.mirrored[[row]])
        for frame in range(4):
            one = cut((to_float(clips[row, frame]) + 1)[None] / 2, crops, 8)
            torch.testing.assert_close(found[row, frame], 2 * one[0] - 1)


def test_colours_are_drawn_for_each_frame_or_for_each_clip(still: Tensor) -> None:
    whole = ClipViews(scale=(1.0, 1.0), flip=0.0)
    own = whole(still, generator=seeded())
    alike = replace(whole, alike=True)(still, generator=seeded())
    assert all(len({tuple(f.flatten().tolist()) for f in clip}) == 5 for clip in own)
    torch.testing.assert_close(alike, alike[:, :1].expand_as(alike))
    assert not torch.equal(alike[0], alike[1])
    assert own.min() >= -1
    assert own.max() <= 1


def test_half_of_the_frames_lose_their_colour() -> None:
    clips = torch.randint(256, (20, 10, 3, 4, 4), dtype=torch.uint8, generator=seeded(2))
    view = ClipViews(jitter_probability=0.0)(clips, generator=seeded())
    grey = (view.amax(2) - view.amin(2)).amax((2, 3)) < 1e-5
    assert 80 <= int(grey.sum()) <= 120


def test_draws_are_replayed_and_the_clips_left_alone(still: Tensor) -> None:
    views, before = ClipViews(), still.clone()
    params = views.draw(still, seeded(3))
    assert torch.equal(views.replay(still, params), views(still, generator=seeded(3)))
    assert not torch.equal(views(still, generator=seeded(3)), views(still, generator=seeded(4)))
    assert torch.equal(still, before)


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 2, 1, 8, 8)])
def test_other_tensors_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"uint8 clips \(B, T, 3, H, W\); got torch.uint8 of sha"):
        ClipViews()(torch.zeros(shape, dtype=torch.uint8))
