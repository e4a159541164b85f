"""Which negatives are valid and informative for one's own data: `nda check`, from Python too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from nda.api.images import drawn_images
from nda.api.options import called, options_on, settings_shown
from nda.api.refusals import refuse_check
from nda.api.settings import MIN_IMAGES, CheckOptions
from nda.data import ImageSet
from nda.data.images.copies import copy_groups, firsts
from nda.errors import DataError
from nda.evaluation.record import Protocol
from nda.evaluation.validity.check import (
    EXAMPLES,
    HELD_OUT,
    CheckedNegative,
    check_few,
    check_negatives,
)
from nda.extras import needed
from nda.negatives.named import negatives_from_list, suited
from nda.report.check_table import Checked, write_check_figures
from nda.report.words import data_name, number
from nda.runtime.devices import choose_device
from nda.runtime.notes import overheard, tell
from nda.runtime.seeding import generator_for
from nda.validators import counted

with needed("nda.check needs Jinja2 and matplotlib", "train"):
    from nda.report.pages.check import write_check_page

FEW = 200  # images: with fewer, an interval of a held-out fifth says nothing, so all are in turn
_SLOW = 96  # pixels: from this side on, probes take minutes


@settings_shown(CheckOptions, out=None)
def check(images: Any, **settings: Any) -> Checked:
    """Find which negatives are valid and informative for images, before training on them.

    Args:
        images: folder, .zip of a folder or torchvision:NAME; or images at hand: a tensor uint8
            (N, 3, H, H), arrays, pictures of Pillow or a data set of them; at least 40
        settings: those of `nda check`; nothing is written unless `out` or `json` is given

    Returns:
        What was found: for each of `.negatives` the AUROCs, 0 to 1, of probes that see all of an
        image and 7 x 7 pixels of it, their difference, a distance to the data, and a verdict.

    Raises:
        UserError: settings out of range, images that cannot be used or are too few, and none of
            which a negative can be made.

    Examples:
        >>> checked = nda.check("photos/", negatives="jigsaw,horizontal_flip", steps=2)
        >>> [each.name for each in checked.negatives]
        ['jigsaw', 'horizontal_flip']
    """
    options, at_hand = options_on(CheckOptions, images, settings)
    refuse_check(options, given=at_hand is not None)
    with overheard() as remarks:
        checked = measure(options, at_hand)
    checked.notes.extend(remarks)
    command = called("nda.check", images, **settings)
    if options.json:
        write_check_figures(Path(options.json), checked, command)
    if options.out:
        write_check_page(Path(options.out), checked, command)
    return checked


def measure(options: CheckOptions, images: Any = None) -> Checked:
    """Probe the negatives that the options name on the images that they name, or on `images`.

    Raises `DataError` for too few images and `ShapeError` where not a single negative can be made
    of them.
    """
    device = choose_device(options.device)
    asked = negatives_from_list(options.negatives)
    data = without_copies(chosen_images(options, images))
    _refuse_too_few(data.images, options)
    side, cut = data.images.shape[-1], len(data.images) // HELD_OUT
    few = len(data.images) < FEW
    heldout = data.images if few else data.images[:cut]
    usable, refused = suited(asked, heldout[:2])
    if side >= _SLOW:
        tell(f"images of {side} pixels take long; --resolution 64 is faster.")
    work: dict[str, Any] = {name: getattr(options, name) for name in ("steps", "seeds", "seed")}
    work["device"] = device
    rows = {name: CheckedNegative(name, reason) for name, reason in refused.items()}
    if few:
        rows |= check_few(heldout, usable, **work)
    else:
        rows |= check_negatives(data.images[cut:], heldout, usable, **work)
    learned = len(data.images) - cut
    return Checked(
        title=f"Which negatives suit {data_name(options.images)}?",
        summary=f"{number(learned)} images of {data_name(options.images)} to learn from and "
        + (f"{len(heldout)} held out in turn" if few else f"{number(cut)} held out")
        + f", at {side} x {side} pixels; probes trained for {number(options.steps)} steps, "
        + ("once." if options.seeds == 1 else f"{options.seeds} times."),
        notes=data.told,
        protocol=_protocol(options, learned, heldout),
        negatives=[rows[name] for name in asked],
        examples=heldout[:EXAMPLES],
    )


def chosen_images(options: CheckOptions, images: Any = None) -> ImageSet:
    """At most `count` of them in random order."""
    return drawn_images(options, generator_for(options.seed, purpose="check images"), images)


def without_copies(data: ImageSet) -> ImageSet:
    """One of each image: a probe would know copies on the other side of a split by heart."""
    groups = copy_groups(data.images)
    kept = firsts(groups)
    if bool(kept.all()):
        return data
    copies = int((~kept).sum())
    note = f"{copies:,} of {len(kept):,} images are copies or near copies of others, and left out."
    found = data.only(kept)
    return replace(found, notes=(*found.notes, note))


def _refuse_too_few(images: Tensor, options: CheckOptions) -> None:
    if len(images) < MIN_IMAGES:
        raise DataError(
            f"{options.images} gives {counted(len(images), 'different image')}, and a check needs "
            f"at least {MIN_IMAGES}; give more images"
            + (" or more --classes." if options.classes else ".")
        )


def _protocol(options: CheckOptions, train: int, heldout: Tensor) -> Protocol:
    return {
        "data": data_name(options.images),
        "images_to_learn_from": train,
        "images_held_out": len(heldout),
        "resolution": heldout.shape[-1],
        "steps": options.steps,
        "seeds": options.seeds,
        "seed": options.seed,
    }
