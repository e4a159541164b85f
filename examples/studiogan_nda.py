"""Negatives in StudioGAN's training loop: the lines that change in its `src/worker.py` are marked.

    python examples/studiogan_nda.py --steps 200

StudioGAN is no package, and so here is a small stand-in of its worker: settings from one file of
YAML in sections (`cfgs.LOSS.adv_loss`), a table of losses, a step of the discriminator and one of
the generator, discriminators that answer with a dict. What is left out here (accumulation, mixed
precision, conditioning, regularisation) stays as it is there. Dots that the script draws; no
download, no GPU.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import torch
import yaml
from torch import Tensor, nn

import nda
from nda.data import draw_dots, to_float
from nda.networks import dcgan

# As src/configs/CIFAR10/DCGAN.yaml; what it does not name has a default in src/config.py.
SETTINGS = """
DATA:
  img_size: 24
MODEL:
  z_dim: 128
LOSS:
  adv_loss: "hinge"
  nda_negative: "jigsaw"  # new: the name of a negative, or "none"
  nda_lambda: 0.25  # new: what generated images weigh; negatives weigh the rest
OPTIMIZATION:
  batch_size: 32
  d_updates_per_step: 1
  g_lr: 0.001
  d_lr: 0.001
"""
Loss = Callable[..., Tensor]
# src/worker.py takes these from its utils.losses; nda's take a third argument, the negatives.
D_LOSSES: dict[str, Loss] = {  # new
    "vanilla": nda.logistic_d, "hinge": nda.hinge_d, "wasserstein": nda.wasserstein_d,
    "least_square": nda.least_squares_d,
}  # fmt: skip
G_LOSSES: dict[str, Loss] = {  # the generator sees no negatives: those of StudioGAN may stay
    "vanilla": nda.logistic_g, "hinge": nda.hinge_g, "wasserstein": nda.wasserstein_g,
    "least_square": nda.least_squares_g,
}  # fmt: skip


class Discriminator(dcgan.Discriminator):
    """One that answers as StudioGAN's do."""

    def forward(self, images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:  # type: ignore[override]
        return {"adv_output": super().forward(images)}


class Worker:
    """The part of StudioGAN's WORKER that trains."""

    def __init__(self, cfgs: SimpleNamespace, images: Tensor) -> None:
        self.DATA, self.MODEL, self.LOSS = cfgs.DATA, cfgs.MODEL, cfgs.LOSS
        self.OPTIMIZATION, self.images = cfgs.OPTIMIZATION, images
        side = self.DATA.img_size
        self.Gen = dcgan.Generator(side, width=16, latent_dim=self.MODEL.z_dim)
        self.Dis = Discriminator(side, width=16)
        betas = (0.5, 0.999)
        self.g_optimizer = torch.optim.Adam(
            self.Gen.parameters(), self.OPTIMIZATION.g_lr, betas=betas
        )
        self.d_optimizer = torch.optim.Adam(
            self.Dis.parameters(), self.OPTIMIZATION.d_lr, betas=betas
        )
        self.negative: nn.Module | None = None  # new, and the five lines that follow
        d_loss = D_LOSSES[self.LOSS.adv_loss]
        if self.LOSS.nda_negative != "none":
            self.negative = nda.negative_from_name(self.LOSS.nda_negative)
            d_loss = partial(d_loss, fake_weight=self.LOSS.nda_lambda)
        self.LOSS.d_loss, self.LOSS.g_loss = d_loss, G_LOSSES[self.LOSS.adv_loss]

    def series_augment(self, images: Tensor) -> Tensor:
        """What `AUG.series_augment` is there: here images stay as they are."""
        return images

    def generate(self) -> Tensor:
        return self.Gen(torch.randn(self.OPTIMIZATION.batch_size, self.MODEL.z_dim))

    def train_discriminator(self) -> Tensor:
        for _ in range(self.OPTIMIZATION.d_updates_per_step):
            self.d_optimizer.zero_grad()
            chosen = torch.randint(len(self.images), (self.OPTIMIZATION.batch_size,))
            real_images = self.images[chosen]
            with torch.no_grad():
                fake_images = self.generate()
            real_images_ = self.series_augment(real_images)
            fake_images_ = self.series_augment(fake_images)
            real_dict, fake_dict = self.Dis(real_images_), self.Dis(fake_images_)
            adv_outputs = [real_dict["adv_output"], fake_dict["adv_output"]]
            if self.negative is not None:  # new: made of the images, augmented as they are
                nda_images_ = self.series_augment(self.negative(real_images))
                adv_outputs.append(self.Dis(nda_images_)["adv_output"])
            dis_loss = self.LOSS.d_loss(*adv_outputs)
            dis_loss.backward()
            self.d_optimizer.step()
        return dis_loss.detach()

    def train_generator(self) -> Tensor:
        self.g_optimizer.zero_grad()
        gen_loss = self.LOSS.g_loss(self.Dis(self.generate())["adv_output"])
        gen_loss.backward()
        self.g_optimizer.step()
        return gen_loss.detach()


def configurations(text: str) -> SimpleNamespace:
    """Sections of settings, as StudioGAN's `Configurations` holds them."""
    sections = yaml.safe_load(text)
    return SimpleNamespace(**{name: SimpleNamespace(**each) for name, each in sections.items()})


def main(steps: int, negative: str = "jigsaw") -> tuple[float, float]:
    """Train for `steps`; gives D's mean output on images and on their jigsaws."""
    torch.manual_seed(0)
    cfgs = configurations(SETTINGS)
    cfgs.LOSS.nda_negative = negative
    draws = torch.Generator().manual_seed(0)
    images = to_float(draw_dots(torch.full((2000,), 4), cfgs.DATA.img_size, generator=draws))
    worker = Worker(cfgs, images)
    for _ in range(steps):
        worker.train_discriminator()
        worker.train_generator()
    with torch.no_grad():
        shown = (images[:200], nda.Jigsaw()(images[:200]))
        real, jigsaws = (float(worker.Dis(each)["adv_output"].mean()) for each in shown)
    return real, jigsaws


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    for negative in ("none", "jigsaw"):
        real, jigsaws = main(parser.parse_args().steps, negative)
        print(f"nda_negative {negative}: D gives {real:.2f} to images, {jigsaws:.2f} to jigsaws")
