"""The example runs as it stands, and without negatives its losses are StudioGAN's own."""

from __future__ import annotations

import math
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import nda

EXAMPLE = Path(__file__).parents[2] / "examples" / "studiogan_nda.py"


def worker(**loss: Any) -> Any:
    example = runpy.run_path(str(EXAMPLE))
    cfgs = example["configurations"](example["SETTINGS"])
    vars(cfgs.LOSS).update(loss)
    torch.manual_seed(0)
    return example["Worker"](cfgs, torch.randn(40, 3, 24, 24).clamp(-1, 1))


def test_it_trains_with_negatives_and_without() -> None:
    main = runpy.run_path(str(EXAMPLE))["main"]
    plain, with_negatives = main(2, "none"), main(2, "jigsaw")
    assert all(map(math.isfinite, (*plain, *with_negatives)))
    assert plain != with_negatives


@pytest.mark.parametrize("name", ["vanilla", "hinge", "wasserstein", "least_square"])
def test_every_loss_of_the_table_takes_negatives(name: str) -> None:
    trained = worker(adv_loss=name, nda_negative="stitch")
    for loss in (trained.train_discriminator(), trained.train_generator()):
        assert loss.isfinite()


def test_without_negatives_the_loss_is_the_plain_one() -> None:
    real, fake = torch.tensor([0.5, 2.0]), torch.tensor([-0.5, 0.25])
    plain = worker(nda_negative="none").LOSS.d_loss(real, fake)
    assert plain == F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    weighted = worker(nda_lambda=0.5).LOSS.d_loss(real, fake, fake)
    torch.testing.assert_close(weighted, nda.hinge_d(real, fake))


def test_a_misspelt_negative_is_refused() -> None:
    with pytest.raises(nda.UserError, match="jigsaw"):
        worker(nda_negative="jigsa")
