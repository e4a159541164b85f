from __future__ import annotations

import pytest
import torch

from nda.errors import ConfigError, ShapeError
from nda.negatives import (
    NEGATIVE_NAMES,
    Blemish,
    Crack,
    CutMix,
    Cutout,
    GaussianNoise,
    HorizontalFlip,
    Jigsaw,
    Missing,
    Mixup,
    Negative,
    OneOf,
    Paste,
    RandomCrop,
    Scar,
    Stain,
    Stitch,
    Texture,
    negative_from_name,
)
from nda.negatives.named import negatives_from_list, settings_of, suited

KINDS = [
    Jigsaw, Stitch, Cutout, CutMix, Blemish, Crack, Scar, Stain, Texture, Paste, Missing, Mixup,
    HorizontalFlip, RandomCrop, GaussianNoise,
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind"),
    list(zip(NEGATIVE_NAMES, KINDS, strict=True)),
)
def test_every_name_makes_its_negative(name: str, kind: type[Negative]) -> None:
    assert type(negative_from_name(name)) is kind


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("jigsaw:grid=4", "Jigsaw(grid=4)"),
        (" jigsaw : grid = 4 ", "Jigsaw(grid=4)"),
        ("jigsaw:seam=feather", "Jigsaw(grid=2, seam=feather, width=3)"),
        ("jigsaw:seam=poisson,offset=random", "Jigsaw(grid=2, seam=poisson, offset=random)"),
        ("stitch:edge=wavy,seam=feather,width=2", "Stitch(seam=feather, width=2, edge=wavy)"),
        ("cutout:low=0.2,high=0.4", "Cutout(low=0.2, high=0.4)"),
        ("cutmix:high=1/2,low=1/4", "CutMix(low=0.25, high=0.5)"),
        ("blemish:low=0.1", "Blemish(low=0.1, high=0.4)"),
        ("crack:strength=0.5", "Crack(strength=0.5)"),
        ("paste:strength=1/2,labels=graded", "Paste(strength=0.5, labels=graded)"),
        ("mixup:alpha=1", "Mixup(alpha=1)"),
        ("random_crop:padding=0.25", "RandomCrop(padding=0.25)"),
        ("gaussian_noise:std=5e-2", "GaussianNoise(std=0.05)"),
    ],
)
def test_parameters_are_read(text: str, shown: str) -> None:
    assert str(negative_from_name(text)) == shown


def test_settings_are_the_documented_ones_and_each_is_read() -> None:
    cut, box = ("seam", "width"), ("low", "high")
    assert {name: settings_of(name) for name in (*NEGATIVE_NAMES, "zebra")} == {
        "jigsaw": ("grid", *cut, "offset", "edge"),
        "stitch": (*cut, "offset", "edge"),
        "cutout": box,
        "cutmix": (*box, *cut, "edge"),
        "blemish": (*box, *cut),
        "crack": ("strength",),
        "scar": ("strength",),
        "stain": ("strength",),
        "texture": ("strength",),
        "paste": ("strength", "labels"),
        "missing": ("strength",),
        "mixup": ("alpha",),
        "horizontal_flip": (),
        "random_crop": ("padding",),
        "gaussian_noise": ("std",),
        "zebra": (),
    }
    values = {"grid": 3, "seam": "feather", "width": 2, "offset": "random", "edge": "wavy"}
    values |= {"low": 0.2, "high": 0.3, "strength": 0.5, "labels": "graded"}
    values |= {"alpha": 3, "padding": 0.3, "std": 0.3}
    for name in NEGATIVE_NAMES:
        shown = str(negative_from_name(f"{name}:" + ",".join(
            f"{setting}={values[setting]}" for setting in settings_of(name)
        )))  # fmt: skip
        assert all(f"{each}={values[each]}" in shown for each in settings_of(name)), shown


def test_a_plus_makes_a_mixture() -> None:
    negative = negative_from_name("jigsaw:grid=4 + stitch")
    assert isinstance(negative, OneOf)
    assert [str(member) for member in negative.members] == ["Jigsaw(grid=4)", "Stitch()"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jigsw", r"no negative 'jigsw'; did you mean 'jigsaw'\? known are: jigsaw, stitch, .*"),
        ("Jigsaw+stich", r"no negative 'Jigsaw'; did you mean 'jigsaw'\?"),
        ("zebra", r"no negative 'zebra'; known are: jigsaw"),
        ("", r"no negative ''; known are: jigsaw"),
        ("jigsaw+", r"no negative ''; known are: jigsaw"),
        ("cutout:lwo=0.3", r"no parameter 'lwo'; did you mean 'low'\? known are: low, high"),
        ("horizontal_flip:grid=2", r"flip has no parameter 'grid'; it takes none"),
        ("jigsaw:grid=4,stitch", r"stitch is a negative of its own; join several by \+, as in jig"),
        ("jigsaw:grid", r"given grid without a value; write grid=VALUE"),
        ("jigsaw:grid=two", r"given grid=two; expected a whole number, as in jigsaw:grid=4"),
        ("jigsaw:grid=2.5", r"given grid=2\.5; expected a whole number"),
        ("mixup:alpha=big", r"given alpha=big; expected a number"),
        ("mixup:alpha=1/0", r"given alpha=1/0; expected a number, as in mixup:alpha=0\.4$"),
        (
            "jigsaw:width=1e400",
            r"given width=1e400; expected a whole number, as in jigsaw:width=4$",
        ),
        ("jigsaw:seam=soft", r"^jigsaw was given seam=soft; expected hard"),
        ("stitch:offset=yes", r"^stitch was given offset=yes; expected fixed or random"),
        ("cutmix:edge=torn", r"^cutmix was given edge=torn; expected straight or wavy"),
        ("blemish:seam=poisson", r"^blemish was given seam=poisson; expected hard or feather"),
        ("cutmix:width=0", r"^cutmix was given width=0; expected a whole number of pixels"),
        ("crack:strength=0", r"^crack was given strength=0; expected a number from 0\.1"),
        ("stain:strength=1.1", r"^stain was given strength=1\.1; expected a number from 0\.1"),
        ("paste:labels=soft", r"^paste was given labels=soft; expected binary or graded"),
        ("jigsaw:grid=1", r"^jigsaw was given grid=1; expected a whole number from 2 on"),
    ],
)
def test_mistakes_are_explained(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        negative_from_name(text)


def test_a_list_keeps_each_comma_where_it_belongs() -> None:
    found = negatives_from_list("cutout:low=0.2,high=0.4, stitch,jigsaw+mixup")
    assert list(found) == ["cutout:low=0.2,high=0.4", "stitch", "jigsaw+mixup"]
    assert str(found["cutout:low=0.2,high=0.4"]) == "Cutout(low=0.2, high=0.4)"


def test_suited_keeps_what_fits_and_says_why_the_rest_does_not() -> None:
    asked = negatives_from_list("jigsaw:grid=3,stitch")
    usable, refused = suited(asked, torch.zeros(2, 3, 16, 16, dtype=torch.uint8))
    assert list(usable) == ["stitch"]
    assert "16 x 16" in refused["jigsaw:grid=3"]
    with pytest.raises(ShapeError, match="16 x 16"):
        suited({"jigsaw": negative_from_name("jigsaw:grid=3")}, torch.zeros(2, 3, 16, 16))
