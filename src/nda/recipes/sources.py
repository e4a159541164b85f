"""From settings to where images and videos come from.

They are no properties of the settings, which know nothing of data: `--help` is free of torch.
"""

from __future__ import annotations

from nda.data.clips.source import ClipSource
from nda.data.images.source import ImageSource
from nda.data.reading.layout import class_names
from nda.recipes.video.config import ClipConfig
from nda.training.config import RunConfig


def image_source(config: RunConfig) -> ImageSource:
    """Where the images of a run come from."""
    return ImageSource(
        config.data,
        resolution=config.resolution,
        classes=class_names(config.classes),
        skip_broken=config.skip_broken,
        bit_depth=config.bit_depth,
    )


def clip_source(config: ClipConfig) -> ClipSource:
    """Where the videos of a run come from."""
    return ClipSource(
        config.data,
        resolution=int(config.resolution or 0),
        classes=class_names(config.classes),
        fit=config.fit,
        split_file=config.split_file,
        fold=config.fold,
        skip_broken=config.skip_broken,
        bit_depth=config.bit_depth,
        cache=config.cache,
    )
