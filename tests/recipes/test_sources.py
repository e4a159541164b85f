"""The source that settings make: every setting about reading reaches it."""

from __future__ import annotations

from nda.recipes.dpc.config import DpcConfig
from nda.recipes.moco.config import MocoConfig
from nda.recipes.sources import clip_source, image_source


def test_every_setting_about_images_reaches_their_source() -> None:
    source = image_source(
        MocoConfig(
            data="elsewhere",
            out="run",
            resolution=48,
            classes="a, b",
            skip_broken=True,
            bit_depth=12,
        )
    )
    assert (source.path, source.resolution, source.classes) == ("elsewhere", 48, ["a", "b"])
    assert (source.skip_broken, source.bit_depth) == (True, 12)


def test_every_setting_about_videos_reaches_their_source() -> None:
    source = clip_source(
        DpcConfig(
            data="elsewhere",
            out="run",
            resolution=48,
            classes="a, b",
            fit="stretch",
            split_file="lists",
            fold=3,
            skip_broken=True,
            bit_depth=12,
            cache=False,
        )
    )
    assert (source.path, source.resolution, source.classes) == ("elsewhere", 48, ["a", "b"])
    assert (source.fit, source.split_file, source.fold) == ("stretch", "lists", 3)
    assert (source.skip_broken, source.bit_depth, source.cache) == (True, 12, False)
