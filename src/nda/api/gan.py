"""The networks of a GAN's run in Python's hands: what draws images, and what judges them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from nda.api.hub import Shareable, measured_in
from nda.data import to_float
from nda.data.images.image_set import check_images
from nda.errors import ShapeError
from nda.evaluation.record import Evaluation
from nda.networks.fit import refuse_misfit
from nda.recipes.gan.load import load_discriminator, load_sampler, shapes_of
from nda.recipes.gan.networks import Discriminator, build_discriminator, build_generator
from nda.recipes.gan.sampler import Sampler
from nda.report.model_card import Card
from nda.runtime.files import StrPath, prepare_output, write_atomically
from nda.runtime.plain_types import wrong_type
from nda.runtime.sealed import load_tensors, read_as, save_tensors
from nda.runtime.seeding import seeded
from nda.training.checkpoint import load_latest
from nda.training.run_folder import RunFolder

TAG = "unconditional-image-generation"


@dataclass(frozen=True)
class GanShape:
    """What the networks of a GAN must be told beside their weights."""

    network: str
    resolution: int  # side of the images in pixels
    width: int
    latent_dim: int
    classes: int
    seed: int  # of the run, which the generator's standing statistics follow

    def generator(self) -> nn.Module:
        return build_generator(
            self.network, self.resolution, self.width, self.latent_dim, self.classes
        )

    def discriminator(self) -> Discriminator:
        return build_discriminator(self.network, self.resolution, self.width, self.classes)


class GanGenerator(Shareable):
    """The averaged generator of a run of gan or numerosity, which draws images.

    Examples:
        >>> small = dict(resolution=32, width=4, steps=2, batch_size=4, device="cpu")
        >>> run = nda.train("gan", data="photos/", out="runs/photos", **small)
        >>> generator = nda.GanGenerator.from_run("runs/photos")
        >>> images = generator.sample(4, seed=1)  # as nda sample draws them
        >>> images.shape, images.dtype
        (torch.Size([4, 3, 32, 32]), torch.uint8)
        >>> folder = generator.save_pretrained("shared/generator")  # or push_to_hub("me/photos")
        >>> again = nda.GanGenerator.from_pretrained(folder)
        >>> torch.equal(again.sample(4, seed=1), images)
        True
    """

    _file = "generator.safetensors"

    def __init__(self, sampler: Sampler, shape: GanShape, run: RunFolder | None = None) -> None:
        self.sampler, self.shape, self._run = sampler, shape, run

    @classmethod
    def from_run(cls, run: StrPath) -> Self:
        """The generator of the newest checkpoint of a run.

        Raises `UserError` for a folder that holds no such run.
        """
        folder = RunFolder.open(run)
        sampler, checkpoint = load_sampler(folder)
        return cls(sampler, _shape_of(checkpoint), folder)

    @property
    def module(self) -> nn.Module:
        """The network: z (B, latent_dim) and labels (B,) to images (B, 3, R, R) in [-1, 1]."""
        return self.sampler.network

    def sample(self, count: int, *, seed: int = 0) -> Tensor:
        """Images uint8 (count, 3, R, R), the same for every seed."""
        return self.sampler.sample(count, seed)

    def save(self, path: StrPath) -> Path:
        """Write the network as one `.safetensors` file."""
        return _write(Path(path), self.module, self.shape)

    @classmethod
    def load(cls, path: StrPath) -> Self:
        """The network in a file that `save` wrote; `CheckpointError` for what is none."""
        network, shape = _read(Path(path), GanShape.generator)
        return cls(
            Sampler(network, shape.latent_dim, torch.arange(shape.classes), shape.seed), shape
        )

    def _card(self) -> tuple[Card, Evaluation | None]:
        side = self.shape.resolution
        lead = f"A GAN's generator of images of {side} × {side} pixels."
        use = (
            'import nda\n\ngenerator = nda.GanGenerator.from_pretrained("REPOSITORY")\n'
            "images = generator.sample(16, seed=0)  # uint8 (16, 3, R, R)"
        )
        return _card("Generator", lead, use, self.shape, self._run)


class GanDiscriminator(Shareable):
    """The discriminator of a run of gan or numerosity, which judges images; heads stay behind.

    Examples:
        >>> small = dict(resolution=32, width=4, steps=2, batch_size=4, device="cpu")
        >>> run = nda.train("gan", data="photos/", out="runs/photos", **small)
        >>> discriminator = nda.GanDiscriminator.from_run("runs/photos")
        >>> images = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8)
        >>> discriminator.score(images).shape  # logits, high for real images
        torch.Size([4])
        >>> folder = discriminator.save_pretrained("shared/discriminator")
        >>> again = nda.GanDiscriminator.from_pretrained(folder)
        >>> torch.equal(again.score(images), discriminator.score(images))
        True
    """

    _file = "discriminator.safetensors"

    def __init__(
        self, module: Discriminator, shape: GanShape, run: RunFolder | None = None
    ) -> None:
        self.module, self.shape, self._run = module, shape, run

    @classmethod
    def from_run(cls, run: StrPath) -> Self:
        """The discriminator of the newest checkpoint of a run.

        Raises `UserError` for a folder that holds no such run.
        """
        folder = RunFolder.open(run)
        return cls(load_discriminator(folder), _shape_of(load_latest(folder)), folder)

    @torch.inference_mode()
    def score(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (B,) of images uint8 (B, 3, R, R), of classes `labels` (B,) where there are some.

        Raises `ShapeError` for images of another type or size, and for labels that are missing.
        """
        check_images(images)
        side = self.shape.resolution
        if images.shape[-2:] != (side, side):
            raise ShapeError(
                f"Images must be of {side} × {side} pixels, as in training; got "
                f"{images.shape[-1]} × {images.shape[-2]}. Resize them."
            )
        if self.shape.classes == 1:
            return self.module(to_float(images))
        if labels is None:
            raise ShapeError(
                f"This discriminator knows {self.shape.classes} classes; give labels (B,) as well."
            )
        return self.module(to_float(images), labels)

    def save(self, path: StrPath) -> Path:
        """Write the network as one `.safetensors` file."""
        return _write(Path(path), self.module, self.shape)

    @classmethod
    def load(cls, path: StrPath) -> Self:
        """The network in a file that `save` wrote; `CheckpointError` for what is none."""
        network, shape = _read(Path(path), GanShape.discriminator)
        return cls(network, shape)

    def _card(self) -> tuple[Card, Evaluation | None]:
        lead = "A GAN's discriminator: logits, high for images like those of its training."
        use = (
            'import nda\n\ndiscriminator = nda.GanDiscriminator.from_pretrained("REPOSITORY")\n'
            "logits = discriminator.score(images)  # uint8 (B, 3, R, R) to (B,)"
        )
        return _card("Discriminator", lead, use, self.shape, self._run)


def _shape_of(checkpoint: dict[str, Any]) -> GanShape:
    about = checkpoint["config"]
    resolution, classes = shapes_of(about["network"], checkpoint["state"]["discriminator"])
    return GanShape(
        about["network"], resolution, about["width"], about["latent_dim"], classes, about["seed"]
    )


def _write(path: Path, network: nn.Module, shape: GanShape) -> Path:
    tensors = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    content = save_tensors(tensors, "networks", json.dumps(dataclasses.asdict(shape)))
    write_atomically(prepare_output(path), lambda file: file.write(content))
    return path


def _read(path: Path, build: Callable[[GanShape], Any]) -> tuple[Any, GanShape]:
    """The network that `build` makes, with the weights in the file, in eval mode."""
    with read_as("network", path, "Save it anew."):
        weights, metadata = load_tensors(path, ("networks",))
        about = json.loads(metadata["networks"])
        shape = GanShape(**about)
        if wrong := wrong_type(about, GanShape):
            raise ValueError(wrong)
        with seeded(0):  # the caller's random state stays as it is
            refuse_misfit(lambda: build(shape), weights)
            network = build(shape)
        network.load_state_dict(weights)
    # As a run's are: other formats differ in the last bits.
    network.to(memory_format=torch.channels_last)
    return network.eval().requires_grad_(False), shape


def _card(
    title: str, lead: str, use: str, shape: GanShape, run: RunFolder | None
) -> tuple[Card, Evaluation | None]:
    known = run.config() if run else {}
    told = ("recipe", "negative", "objective", "fake_weight", "steps")
    settings = {**dataclasses.asdict(shape), **{n: known[n] for n in told if n in known}}
    return Card(title, lead, TAG, use, settings), measured_in(run.path if run else "")
