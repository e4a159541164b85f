"""Negatives by name, as they are written in configurations and on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches

from torch import Tensor

from nda.errors import ConfigError, ShapeError
from nda.negatives.base import Negative
from nda.negatives.blemish import Blemish
from nda.negatives.controls import GaussianNoise, HorizontalFlip, RandomCrop
from nda.negatives.faults.crack import Crack
from nda.negatives.faults.missing import Missing
from nda.negatives.faults.paste import Paste
from nda.negatives.faults.scar import Scar
from nda.negatives.faults.stain import Stain
from nda.negatives.faults.texture import Texture
from nda.negatives.jigsaw import Jigsaw
from nda.negatives.mixup import Mixup
from nda.negatives.one_of import OneOf
from nda.negatives.patch import CutMix, Cutout
from nda.negatives.stitch import Stitch

Parser = Callable[[str], int | float | str]


def _number(text: str) -> float:
    above, _, below = text.partition("/")  # 0.2, 1e-3, and also 1/3
    return float(above) / float(below or 1)


_SEAM: dict[str, Parser] = {"seam": str, "width": int}
_STRENGTH: dict[str, Parser] = {"strength": _number}

_NEGATIVES: dict[str, tuple[Callable[..., Negative], dict[str, Parser]]] = {
    "jigsaw": (Jigsaw, {"grid": int, **_SEAM, "offset": str, "edge": str}),
    "stitch": (Stitch, {**_SEAM, "offset": str, "edge": str}),
    "cutout": (Cutout, {"low": _number, "high": _number}),
    "cutmix": (CutMix, {"low": _number, "high": _number, **_SEAM, "edge": str}),
    "blemish": (Blemish, {"low": _number, "high": _number, **_SEAM}),
    "crack": (Crack, _STRENGTH),
    "scar": (Scar, _STRENGTH),
    "stain": (Stain, _STRENGTH),
    "texture": (Texture, _STRENGTH),
    "paste": (Paste, {**_STRENGTH, "labels": str}),
    "missing": (Missing, _STRENGTH),
    "mixup": (Mixup, {"alpha": _number}),
    "horizontal_flip": (HorizontalFlip, {}),
    "random_crop": (RandomCrop, {"padding": _number}),
    "gaussian_noise": (GaussianNoise, {"std": _number}),
}

NEGATIVE_NAMES: tuple[str, ...] = tuple(_NEGATIVES)


def negative_from_name(text: str) -> Negative:
    """The negative written as `text`: `jigsaw`, `cutout:low=0.2,high=0.4` or `jigsaw+stitch`.

    Parameters not given keep their defaults; names joined by `+` make a `OneOf` with equal chances.

    Raises:
        ConfigError: for an unknown name or parameter, or a value that cannot be used.

    Examples:
        >>> nda.negative_from_name("jigsaw:grid=4,seam=feather")
        Jigsaw(grid=4, seam=feather, width=3)
        >>> len(nda.negative_from_name("jigsaw+stitch").members)  # a OneOf
        2
    """
    members = [_one(part.strip()) for part in text.split("+")]
    return members[0] if len(members) == 1 else OneOf(members)


def negatives_from_list(text: str) -> dict[str, Negative]:
    """Negatives by their names, written as `jigsaw,cutout:low=0.2,high=0.4,stitch`.

    Raises:
        ConfigError: as `negative_from_name`.
    """
    # A comma before `parameter=` belongs to the negative that stands before it.
    names = [name.strip() for name in re.split(r",(?!\s*\w+=)", text)]
    return {name: negative_from_name(name) for name in names}


def settings_of(name: str) -> tuple[str, ...]:
    """What can be set of a negative, such as `seam`; nothing of a name that there is not."""
    return tuple(_NEGATIVES[name][1]) if name in _NEGATIVES else ()


def suited(
    negatives: Mapping[str, Negative], images: Tensor
) -> tuple[dict[str, Negative], dict[str, str]]:
    """The negatives that can be made of images (N, C, H, W), and why the others cannot.

    Raises:
        ShapeError: where not a single one can.
    """
    usable, refused = {}, {}
    for name, negative in negatives.items():
        try:
            negative.check(images)
            usable[name] = negative
        except ShapeError as error:
            refused[name] = str(error)
    if not usable:
        raise ShapeError(next(iter(refused.values())))
    return usable, refused


def _one(text: str) -> Negative:
    name, _, settings = (part.strip() for part in text.partition(":"))
    if name not in _NEGATIVES:
        raise ConfigError(f"there is no negative {name!r}; {_known(name, NEGATIVE_NAMES)}")
    build, parsers = _NEGATIVES[name]
    given = [setting for setting in settings.split(",") if setting.strip()]
    return build(**dict(_setting(name, setting.strip(), parsers) for setting in given))


def _setting(name: str, text: str, parsers: dict[str, Parser]) -> tuple[str, int | float | str]:
    key, equals, value = (part.strip() for part in text.partition("="))
    if key not in parsers:
        if key in NEGATIVE_NAMES and not equals:
            raise ConfigError(
                f"{key} is a negative of its own; join several by +, as in {name}+{key}"
            )
        known = _known(key, tuple(parsers)) if parsers else "it takes none"
        raise ConfigError(f"the negative {name} has no parameter {key!r}; {known}")
    if not equals:
        raise ConfigError(f"the negative {name} was given {key} without a value; write {key}=VALUE")
    try:
        return key, parsers[key](value)
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        kind = "a whole number" if parsers[key] is int else "a number"
        raise ConfigError(
            f"the negative {name} was given {key}={value}; expected {kind}, as in {name}:{key}="
            f"{'4' if parsers[key] is int else '0.4'}"
        ) from error


def _known(given: str, names: tuple[str, ...]) -> str:
    nearest = get_close_matches(given, names, n=1)
    meant = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"{meant}known are: {', '.join(names)}"
