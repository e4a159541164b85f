"""The output that was shown negatives, where that is another one than real against generated."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from nda.evaluation.fidelity.gap import Score
from nda.networks.heads.structure import TwoHeads
from nda.networks.heads.third_class import NO_NEGATIVE, ThreeClasses

STRUCTURE_HEAD = "structure head"


def taught_output(discriminator: nn.Module) -> tuple[str, Score] | None:
    """A structure head, or the log odds of no negative of three classes, with its name; or None.

    High for images that are no negatives, as the discriminator's own output is for real ones.
    """
    if isinstance(discriminator, TwoHeads):
        return STRUCTURE_HEAD, partial(structure_score, discriminator)
    if isinstance(discriminator, ThreeClasses):
        return NO_NEGATIVE, discriminator.no_negative
    return None


def structure_score(discriminator: TwoHeads, images: Tensor, labels: Tensor) -> Tensor:
    """What the structure head of `discriminator` holds of images: logits (B,)."""
    return discriminator(images, labels, structure=True)[1]
