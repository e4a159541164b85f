"""What the recipes of single images share in their settings: which images, and how read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nda.training.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class ImageConfig(RunConfig):
    """Images of one source."""

    @property
    def source(self) -> Any:  # ImageSource, which jsonargparse would import
        """Where the images of the run come from."""
        from nda.data.images.source import ImageSource  # not above: settings are free of torch
        from nda.data.reading.layout import class_names

        return ImageSource(
            self.data,
            resolution=self.resolution,
            classes=class_names(self.classes),
            skip_broken=self.skip_broken,
            bit_depth=self.bit_depth,
        )
