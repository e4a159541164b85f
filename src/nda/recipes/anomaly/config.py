"""The settings of the anomaly recipe; the defaults suit photographs of surfaces and parts."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Literal

from nda.errors import ConfigError
from nda.extras import LITE0
from nda.recipes.matched import Matched, check_matched
from nda.training.config import PATH, RunConfig
from nda.validators import at_least

_OF_LEARNING = {
    "method", "backbone", "negative", "texture", "width", "steps", "batch_size", "positives",
    "positive_probability", "lr", "weight_decay", "matched", "matched_probability",
    "matched_weight", "compile", "precision", "devices",
}  # fmt: skip


def at_hand(typed: Collection[str]) -> dict[str, object]:
    """What a new run takes beside the settings that were typed, by what is installed.

    Pretrained features find more than a network from scratch, in seconds; whoever says how to learn
    is left alone.
    """
    if _OF_LEARNING & set(typed) or find_spec(LITE0) is None:
        return {}
    return {"method": "auto"}


@dataclass(frozen=True, kw_only=True)
class AnomalyConfig(RunConfig):
    """A network that knows normal images, and scores others; no anomalous images are needed.

    By default it learns normal images against negatives made of them; where a negative has a place
    (a blemish, a box, a seam) the loss is taken place by place, which gives heat maps. With another
    method it is fitted in one step to a backbone's features: what only learning needs is not used.

    Args:
        recipe: name of the recipe
        steps: updates of the network; 1 where it is fitted at once
        batch_size: normal images an update; as many negatives are made of them
        resolution: side of the images in pixels, a multiple of 16
        fit: how images become squares of that side: stretch (all of the image) or crop (its middle)
        holdout: share of the normal images that is kept from training, to calibrate on: every k-th,
            where k is 1 / holdout, rounded
        tile: cut images, which must all be of one size, into overlapping tiles of so many pixels a
            side, a multiple of 16, in place of bringing them to `resolution`: small faults keep
            their pixels. An image's score is the highest of its tiles
        tile_overlap: pixels that neighbouring tiles share; a quarter of the tile if not given
        calibration: held_out; left_out (every normal image is trained on, and calibrated on by what
            the others say; not for negatives); or auto (left_out where the images are too few to
            hold enough of them out, at most 200 at 128 pixels)
        group: a regular expression found in every file's path; files of which it finds the same are
            pictures of one part and stay on one side of the split: (.*)/ for the folder
        normal_more: folder or .zip of further normal images, such as a detector flagged wrongly:
            they are trained on and never calibrated on, so that the rate still holds
        reference: image, folder or .zip of templates, one of each kind of part as it should be:
            every image is compared with the one that it fits best, moved and lit as the image is.
            Not for negatives
        method: negatives (learned step by step); gaussian (of features, at each place of aligned
            images); memory (nearest patches of features, anywhere); neighbours (nearest images in
            pooled features); combine (the more surprised of gaussian and neighbours); auto
            (gaussian for aligned images, else combine). A new run that is told nothing of how to
            learn takes auto where the extra 'pretrained' is installed
        negative: a negative such as blemish, cutmix:low=0.05,high=0.3 or blemish+jigsaw
        texture: folder or .zip of images that the negative texture takes its patches from; other
            images of the batch if not given
        matched: none, shown (normal images also as their nulls) or consistency (scored alike): a
            seam then gives no negative away; of negatives whose seam is softened
        matched_probability: with --matched shown, share of the normal images shown as their nulls
        matched_weight: with --matched consistency, weight of (D(x) - D(null(x)))² in the loss
        backbone: plain (from scratch), lite0 (ImageNet weights, extra 'pretrained') or
            torchvision:NAME[:weights.pth]; by default plain for negatives, lite0 for other methods
        width: channels of the network
        positives: transform that serves as ordinary augmentation of the normal images, or none
        positive_probability: share of the normal images that `positives` changes
        lr: highest learning rate (AdamW); it rises over a tenth of the steps, then falls to 0
        weight_decay: weight decay of AdamW
        false_alarm_rate: share of new normal images that may be flagged; by default 0.01, or the
            smallest that the images kept can promise where they are too few for it
        sample_every: steps between pictures of heat maps
    """

    recipe: Literal["anomaly"] = "anomaly"
    steps: int = 1500
    batch_size: int = 16
    resolution: int | None = 128
    fit: Literal["stretch", "crop"] = "stretch"
    tile: int | None = None
    tile_overlap: int | None = None
    holdout: float = 0.2
    calibration: Literal["auto", "held_out", "left_out"] = "auto"
    group: str | None = None
    normal_more: str | None = field(default=None, metadata=PATH)
    reference: str | None = field(default=None, metadata=PATH)
    method: Literal["negatives", "gaussian", "memory", "neighbours", "combine", "auto"] = (
        "negatives"
    )
    negative: str = "blemish"
    texture: str | None = field(default=None, metadata=PATH)
    matched: Matched = "none"
    matched_probability: float = 0.5
    matched_weight: float = 1.0
    backbone: str | None = None
    width: int = 16
    positives: str = "horizontal_flip"
    positive_probability: float = 0.5
    lr: float = 2e-3
    weight_decay: float = 1e-2
    false_alarm_rate: float | None = None
    checkpoint_every: int = 250
    sample_every: int = 500

    def __post_init__(self) -> None:
        """Settle what follows from the method, so that config.yaml tells it."""
        if self.backbone is None:
            object.__setattr__(self, "backbone", "plain" if self.learned else "lite0")
        if not self.learned:
            object.__setattr__(self, "steps", 1)
        if self.tile is not None:
            if self.resolution == type(self).resolution:
                object.__setattr__(self, "resolution", self.tile)
            if self.tile_overlap is None:
                object.__setattr__(self, "tile_overlap", self.tile // 4)

    @property
    def learned(self) -> bool:
        """Whether the network is trained step by step, not fitted at once."""
        return self.method == "negatives"

    @property
    def rate_falls(self) -> bool:
        return self.learned

    def check(self) -> None:
        self._check_tiles()  # first, as `resolution` follows from what is given for them
        super().check()
        at_least(self, "batch_size", 2)
        at_least(self, "width", 1)
        self._check_paths()
        if self.resolution is None or self.resolution % 16:
            raise ConfigError(
                f"resolution is {self.resolution}; the network needs a multiple of 16, such as 128."
            )
        if not 0 < self.holdout <= 0.5:
            raise ConfigError(
                f"holdout is {self.holdout}; calibration needs a share of the normal images above "
                "0 and at most 0.5."
            )
        if self.negative in ("none", "data"):
            raise ConfigError(
                f"--negative {self.negative} leaves nothing to tell normal images from; give a "
                "negative such as blemish."
            )
        check_matched(self)
        if self.matched != "none" and not self.learned:
            raise ConfigError(
                f"matched is {self.matched}, and --method {self.method} learns from no negatives; "
                "leave matched at none."
            )
        for name in ("positive_probability", "false_alarm_rate"):
            if getattr(self, name) is not None and not 0 < getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must lie between 0 and 1.")
        for name in ("lr", "weight_decay"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be above 0.")
        if self.calibration == "left_out" and self.learned:
            raise ConfigError(
                "--calibration left_out leaves every image out in turn, which a network that is "
                "trained step by step takes too long for; give --method auto, or held_out."
            )
        if self.group is not None:
            try:
                re.compile(self.group)
            except re.error as error:
                raise ConfigError(
                    f"group is {self.group!r}, which is no regular expression ({error}); give one "
                    "such as (.*)/ for the folder of a file."
                ) from error
        self._check_backbone()

    def _check_tiles(self) -> None:
        if self.tile is None:
            if self.tile_overlap is not None:
                raise ConfigError(
                    f"tile_overlap is {self.tile_overlap}, and images are not cut into tiles; give "
                    "--tile as well, such as 128, or leave it out."
                )
            return
        if self.tile < 16 or self.tile % 16:
            raise ConfigError(
                f"tile is {self.tile}; the network needs a multiple of 16 pixels, such as 128."
            )
        if self.resolution != self.tile:
            raise ConfigError(
                f"resolution is {self.resolution} and tile {self.tile}, but tiles keep their "
                "pixels; leave --resolution out."
            )
        assert self.tile_overlap is not None
        if not 0 <= self.tile_overlap <= self.tile // 2:
            raise ConfigError(
                f"tile_overlap is {self.tile_overlap}; it must be from 0 to half of the tile, "
                f"{self.tile // 2} pixels."
            )
        for source in (self.data, self.normal_more or ""):
            if source.startswith("torchvision:"):
                raise ConfigError(
                    f"--tile cuts images of files, and {source} has none; give a folder or .zip, "
                    "or leave --tile out."
                )

    def _check_paths(self) -> None:
        for name in ("normal_more", "reference"):
            if getattr(self, name) == "":  # or else it is the working folder
                raise ConfigError(f"{name} is empty; give a path.")
        if self.reference is None:
            return
        if self.tile is not None:
            raise ConfigError(
                f"--reference {self.reference} is compared with whole images, and --tile "
                f"{self.tile} cuts them up; leave one of the two out."
            )
        if self.learned:
            missing = " (extra 'pretrained')" if find_spec(LITE0) is None else ""
            raise ConfigError(
                f"--reference {self.reference} is compared in features that stay as they are, and "
                f"--method negatives learns its own; give --method auto{missing}."
            )

    def _check_backbone(self) -> None:
        backbone = self.backbone or "plain"
        if backbone not in ("plain", "lite0") and not backbone.startswith("torchvision:"):
            raise ConfigError(
                f"backbone is {self.backbone!r}; give plain, lite0 or "
                "torchvision:NAME[:weights.pth]."
            )
        if not self.learned and backbone != "lite0" and backbone.count(":") < 2:
            raise ConfigError(
                f"--method {self.method} compares features that were learned before, and "
                f"--backbone {backbone} has random weights; give lite0 or "
                "torchvision:NAME:weights.pth."
            )
