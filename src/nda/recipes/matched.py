"""Settings that several recipes share: real samples beside their nulls, so that seams say nothing.

What the words do stands in `nda.objectives.matched`, what they are for in docs/structure.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from nda.errors import ConfigError
from nda.validators import above_zero

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nda.negatives import Negative

Matched = Literal["none", "shown", "consistency"]


class MatchedSettings(Protocol):
    """What of a recipe's configuration is looked at."""

    @property
    def negative(self) -> str: ...

    @property
    def matched(self) -> Matched: ...

    @property
    def matched_probability(self) -> float: ...

    @property
    def matched_weight(self) -> float: ...


def check_matched(config: MatchedSettings) -> None:
    """Refuse values out of range, and nulls where there are no negatives of images."""
    if not 0 < config.matched_probability < 1:
        raise ConfigError(
            f"matched_probability is {config.matched_probability}; it is the share of real images "
            "shown as their nulls and must lie between 0 and 1."
        )
    above_zero(config, "matched_weight")
    for name, usual, mode in (("probability", 0.5, "shown"), ("weight", 1.0, "consistency")):
        value = getattr(config, f"matched_{name}")
        if value != usual and config.matched == "none":
            raise ConfigError(
                f"matched_{name} is {value}, which without --matched does nothing; give "
                f"--matched {mode}, or leave it out."
            )
    if config.matched != "none" and config.negative in ("none", "data"):
        raise ConfigError(
            f"matched is {config.matched}, and --negative {config.negative} makes no negatives of "
            "the images that these could be matched with; name one with a softened seam, such as "
            "jigsaw:seam=feather, or leave matched at none."
        )


def refuse_traceless(
    config: MatchedSettings, negative: Negative, images: Tensor, rng: torch.Generator
) -> None:
    """Refuse to match `images` with nulls that are the images themselves: it would do nothing."""
    from nda.negatives.twins import null_is_the_image, softened

    if config.matched == "none" or not null_is_the_image(negative, images, rng):
        return
    twin = softened(config.negative)
    instead = f"Its softened twin is {twin}; or" if twin else "It leaves no seam;"
    raise ConfigError(
        f"matched is {config.matched}, and the null of {config.negative} is the image itself, with "
        f"no seam that a real image could show. {instead} leave matched at none."
    )
