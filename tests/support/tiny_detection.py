"""A detection run small enough to train within a test, and data for it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from nda.recipes.detection.config import DetectionConfig
from tests.support.made_boxes import write_image, write_voc, write_xml

__all__ = ["tiny_detection", "write_image", "write_voc", "write_xml"]


def tiny_detection(data: Path, out: Path | str = "unused", **changes: Any) -> DetectionConfig:
    """A ResNet-18 of width 8 on images of 32 or 40 pixels, batches of 3, 4 steps."""
    config = DetectionConfig(
        data=str(data),
        out=str(out),
        network="resnet18",
        width=8,
        train_sides="32,40",
        longest_side=64,
        anchors="8,16,32",
        roi_size=7,
        rois=8,
        proposals=20,
        batch_size=3,
        warmup=2,
        steps=4,
        log_every=1,
        checkpoint_every=2,
        device="cpu",
    )
    return dataclasses.replace(config, **changes)
