"""Templates that normal images are compared with: read from files, and how images fit them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nda.data import ImageSet, to_float
from nda.data.images.image_set import fingerprint
from nda.data.reading.decode import decode_all, quiet_pillow, upright_size
from nda.data.reading.layout import and_more
from nda.data.reading.open import open_member, open_raw
from nda.data.reading.source import EXTENSIONS, Source, open_source, source_of_files
from nda.data.reading.values import Values
from nda.errors import DataError
from nda.networks.pretrained.registration import Registration
from nda.recipes.anomaly.config import AnomalyConfig
from nda.validators import counted

MOST = 200  # templates: an image is compared with each, at every shift
MOST_BYTES = 64 * 2**20  # of all templates, which every detector carries
LIKE = 0.02  # of the ratio of sides: rounded pixels differ by less
FITS = 0.5  # correlation: less, and three quarters of what an image shows are in no template
BETTER = 0.02  # of correlation, than templates upside down, which share outline and light alone
LOOKED_AT = 256  # images at most, evenly taken
_NAMED = 3  # files in a sentence


@dataclass(frozen=True)
class Templates:
    """Templates uint8 `(T, 3, R, R)` by the names of their files."""

    images: Tensor
    names: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.images, torch.zeros(0), ())


def load_templates(config: AnomalyConfig) -> Templates | None:
    """The templates of a run, brought to its resolution as its images are; None without any.

    Raises `DataError` for what cannot be read, for too many, and for other proportions than those
    of the images where all of a picture is stretched.
    """
    if config.reference is None:
        return None
    assert config.resolution is not None
    with opened(config.reference, config.bit_depth) as source:
        names = sorted(source.stamps)
        refuse_many(config.reference, len(names), config.resolution)
        with quiet_pillow():
            pixels, broken = decode_all(
                lambda index: open_member(source, names[index]),
                names,
                where=source.where,
                resolution=config.resolution,
                skip_broken=True,  # to be refused without the advice to skip
                fit=config.fit,
            )
        if broken:
            number, reason = min(broken.items())
            raise DataError(
                f"--reference {config.reference}: {names[number]} cannot be read ({reason})"
                f"{and_more(len(broken) - 1)}; mend it or take it away."
            )
        source.values.require_range(source.where)
        if config.fit == "stretch" and not config.data.startswith("torchvision:"):
            refuse_other_proportions(config, source, names)
    return Templates(torch.from_numpy(pixels), tuple(names))


@contextmanager
def opened(path: str, bit_depth: int | None = None) -> Iterator[Source]:
    """A picture, or the pictures of a folder or .zip."""
    place = Path(path).expanduser()
    if place.is_file() and place.suffix.lower() in EXTENSIONS:
        status = place.stat()
        stamps = {place.name: (status.st_size, status.st_mtime_ns)}
        found = source_of_files(place.parent, stamps)
        yield Source(str(place.parent), stamps, found.read, Values(bit_depth))
        return
    with open_source(place, bit_depth=bit_depth) as source:
        yield source


def refuse_many(reference: str, count: int, side: int) -> None:
    """Refuse more templates than each image can be compared with, or than a file should carry."""
    most = min(MOST, MOST_BYTES // (3 * side**2))
    if count > most:
        raise DataError(
            f"--reference {reference} has {count:,} images, and at most {most:,} templates are "
            f"taken at {side} pixels, as every image is compared with each of them and the "
            "detector carries all; give one template a kind of part."
        )


def refuse_other_proportions(config: AnomalyConfig, source: Source, names: Sequence[str]) -> None:
    """Refuse a template that becomes a square in another way than any of the images do."""
    with open_source(Path(config.data).expanduser(), bit_depth=config.bit_depth) as data:
        every = list(data.stamps)
        spread = torch.linspace(0, len(every) - 1, min(LOOKED_AT, len(every))).long().tolist()
        known = {width / height for width, height in sizes(data, [every[row] for row in spread])}
    for name, (width, height) in zip(names, sizes(source, names), strict=True):
        if known and min(abs(width / height / each - 1) for each in known) > LIKE:
            raise DataError(
                f"--reference {config.reference}: {name} has {width} x {height} pixels, and no "
                f"image of {config.data} has sides of that ratio, so that --fit stretch would "
                "stretch it in another way than these; cut it as they are, or give --fit crop."
            )


def sizes(source: Source, names: Sequence[str]) -> list[tuple[int, int]]:
    """Width and height of the pictures that can be read."""
    found = []
    with quiet_pillow():
        for name in names:
            try:
                found.append(upright_size(open_raw(source, name)))
            except (OSError, ValueError):  # refused or skipped where all images are read
                continue
    return found


def told_of_fit(templates: Templates, normal: ImageSet) -> list[str]:
    """What whoever trains should know of how normal images fit the templates."""
    rows = torch.linspace(0, len(normal) - 1, min(LOOKED_AT, len(normal))).long()
    looked_at = normal.only(rows).images
    registration = registration_of(templates.images)
    number, shift, fit = found_by(registration, looked_at)
    called = [normal.names[row] if normal.names else f"number {row}" for row in rows.tolist()]
    whole = counted(len(rows), "normal image")
    told = []
    odd = fit < FITS
    if bool(odd.any()):
        told.append(
            f"{int(odd.sum()):,} of {whole} fit no template of --reference (correlation below "
            f"{FITS:g}): {some(called, odd)}; give the templates of their parts."
        )
    turned = found_by(registration_of(templates.images.flip(2, 3)), looked_at)[2]
    if not bool(odd.all()) and float((fit - turned)[~odd].median()) < BETTER:
        told.append(
            "Normal images fit the templates of --reference no better than the same upside down "
            f"(correlation {float(fit[~odd].median()):.2f} and "
            f"{float(turned[~odd].median()):.2f}): unless parts look alike both ways, these are "
            "the templates of others."
        )
    limit = registration.furthest
    far = (shift.abs().amax(dim=1) >= limit - 0.5) & ~odd
    if bool(far.any()):
        told.append(
            f"{int(far.sum()):,} of {whole} are moved against their template by {limit} of "
            f"{templates.images.shape[-1]} pixels or more, which is as far as they are looked for: "
            f"{some(called, far)}; cut images and templates alike."
        )
    idle = torch.bincount(number[~odd], minlength=len(templates.names)) == 0
    if bool(idle.any()):
        told.append(
            f"No normal image is of {counted(int(idle.sum()), 'template')} of --reference: "
            f"{some(templates.names, idle)}."
        )
    return told


def registration_of(templates: Tensor) -> Registration:
    """What finds the template of an image, among some uint8 `(T, 3, R, R)`."""
    registration = Registration(templates.shape[-1], len(templates))
    registration.templates.copy_(templates)
    return registration


def found_by(registration: Registration, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Template, shift and correlation of images uint8 `(N, 3, R, R)`, as `Registration.find`."""
    found = [registration.find(to_float(part)) for part in images.split(32)]
    number, shift, fit = (torch.cat(each) for each in zip(*found, strict=True))
    return number, shift, fit


def some(names: Sequence[str], which: Tensor) -> str:
    """The first of these names, and how many more there are."""
    chosen = [name for name, wanted in zip(names, which.tolist(), strict=True) if wanted]
    return ", ".join(chosen[:_NAMED]) + and_more(max(0, len(chosen) - _NAMED))
