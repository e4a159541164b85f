"""Views of images for contrastive learning: what a model should be invariant to.

MoCo-v2's augmentation (Chen et al., 2020): crop, flip, jitter of colours, grey, blur. It works on a
whole batch at once, on any device, and every image has draws of its own, so that the distribution
of a view is that of torchvision's transforms called image by image.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nda.data.augment.colour_jitter import draw_jitter, jittered
from nda.data.augment.crops import crop_and_flip
from nda.data.images.image_set import to_float

SIGMA = (0.1, 2.0)  # of the blur, in pixels, whatever the side
BLUR_SHARE = 0.1  # of the side, which the kernel of the blur spans


@dataclass(frozen=True)
class Views:
    """MoCo-v2's random view of each image: uint8 `(B, 3, R, R)` to float32 in [-1, 1].

    Args:
        scale: smallest and largest share of the area that is cut out.
        jitter: strengths for brightness, contrast, saturation and hue.
        jitter_probability: share of images whose colours are jittered.
        grey: share of images that lose their colour.
        blur: share of images that are blurred.
    """

    scale: tuple[float, float] = (0.2, 1.0)
    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1)
    jitter_probability: float = 0.8
    grey: float = 0.2
    blur: float = 0.5

    def __call__(self, images: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        x = (to_float(images) + 1) / 2
        x = crop_and_flip(x, scale=self.scale, generator=generator).clamp(0, 1)
        x = jittered(
            x,
            draw_jitter(
                len(x),
                strength=self.jitter,
                probability=self.jitter_probability,
                grey=self.grey,
                generator=generator,
                device=x.device,
            ),
        )
        if self.blur > 0:
            x = blurred(x, self.blur, generator)
        return 2 * x - 1


def blurred(x: Tensor, probability: float, generator: torch.Generator | None = None) -> Tensor:
    """A share of the images `(B, C, R, R)` blurred by Gaussians of different widths.

    The kernel spans a tenth of the side, the least odd number of at least 3 pixels.
    """
    batch, channels, side = len(x), x.shape[1], x.shape[-1]
    where = x.device if generator is None else generator.device
    draws = torch.rand(2, batch, generator=generator, device=where).to(x.device)
    sigma = SIGMA[0] + (SIGMA[1] - SIGMA[0]) * draws[0]
    reach = max(1, round(BLUR_SHARE * side / 2))
    kernel = gaussian_kernels(sigma, reach).to(x.dtype)  # (B, 2 reach + 1)
    weight = kernel.repeat_interleave(channels, dim=0)[:, None]  # a kernel for each plane
    planes = F.pad(x, [reach] * 4, mode="reflect").view(1, batch * channels, *_padded(side, reach))
    planes = F.conv2d(planes, weight[:, :, :, None], groups=batch * channels)
    planes = F.conv2d(planes, weight[:, :, None, :], groups=batch * channels)
    chosen = (draws[1] < probability).view(-1, 1, 1, 1)
    return torch.where(chosen, planes.view_as(x), x)


def gaussian_kernels(sigma: Tensor, reach: int) -> Tensor:
    """Normalised Gaussians `(B, 2 reach + 1)` of standard deviations `sigma` `(B,)`, in pixels."""
    places = torch.arange(-reach, reach + 1, device=sigma.device)
    kernel = torch.exp(-0.5 * (places / sigma[:, None]) ** 2)
    return kernel / kernel.sum(dim=1, keepdim=True)


def _padded(side: int, reach: int) -> tuple[int, int]:
    return side + 2 * reach, side + 2 * reach
