"""Negatives in a training loop of one's own: what changes is marked.

    python examples/plain_pytorch_gan.py --steps 200

Trains a small GAN on dots that the script draws itself; no download, no GPU.
"""

from __future__ import annotations

import argparse

import torch

import nda
from nda.data import draw_dots, to_float
from nda.networks.dcgan import Discriminator, Generator


def main(steps: int, batch_size: int = 32) -> tuple[float, float]:
    """Train for `steps` and return D's mean output on real images and on their negatives."""
    torch.manual_seed(0)
    draws = torch.Generator().manual_seed(0)
    images = to_float(draw_dots(torch.full((2000,), 4), 24, generator=draws))  # (2000, 3, 24, 24)
    generator, discriminator = Generator(24, width=16), Discriminator(24, width=16)
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    negative = nda.Jigsaw()  # new

    for _ in range(steps):
        real = images[torch.randint(len(images), (batch_size,), generator=draws)]
        fake = generator(torch.randn(batch_size, 128))
        parts = [real, fake.detach(), negative(real)]  # new: the third one
        logits = discriminator(torch.cat(parts)).split(batch_size)
        loss_d = nda.logistic_d(*logits, fake_weight=0.25)  # new: λ
        optimizer_d.zero_grad()
        loss_d.backward()
        optimizer_d.step()

        loss_g = nda.logistic_g(discriminator(fake))  # as ever: the generator sees no negatives
        optimizer_g.zero_grad()
        loss_g.backward()
        optimizer_g.step()

    with torch.no_grad():
        real = images[:200]
        return discriminator(real).mean().item(), discriminator(negative(real)).mean().item()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    on_real, on_negatives = main(parser.parse_args().steps)
    print(f"discriminator: {on_real:.2f} on real images, {on_negatives:.2f} on their negatives")
