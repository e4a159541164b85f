"""The runs of a campaign: the recipe's own networks, losses and step, many of them on one card."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from campaign.diff_augment import Augmented
from nda.data.images.image_set import ImageSet
from nda.data.images.source import Splits
from nda.recipes.gan import train as gan
from nda.recipes.gan.config import GanConfig
from nda.recipes.gan.networks import build_networks
from nda.runtime.files import write_atomically
from nda.runtime.seeding import generator_for
from nda.training.ema import Ema

PLAIN: dict[str, Any] = {"negative": "none"}
FEATHER: dict[str, Any] = {"negative": "jigsaw:seam=feather"}
HEAD: dict[str, Any] = {**FEATHER, "structure_head": 1.0, "structure_generator": 0.5}
THREE: dict[str, Any] = {**FEATHER, "objective": "three_class"}
# Settings of `nda train gan`, and whether images are augmented on their way to the discriminator.
ARMS: dict[str, tuple[dict[str, Any], bool]] = {
    "plain": (PLAIN, False),
    "mixture": ({"negative": "jigsaw", "fake_weight": 0.25}, False),
    "head": (HEAD, False),
    "three_class": (THREE, False),
    "diffaugment": (PLAIN, True),
    "diffaugment+head": (HEAD, True),
    # To be asked for: the plain GAN of the loss that three classes have, and other objectives.
    "logistic": ({**PLAIN, "objective": "logistic"}, False),
    "three_class+nulls": ({**THREE, "matched": "consistency"}, False),
    "prior_corrected": ({**FEATHER, "objective": "prior_corrected"}, False),
    "relativistic": ({**FEATHER, "objective": "relativistic"}, False),
}
DEFAULT_ARMS = list(ARMS)[:6]
WARM_UP = 3  # steps before one is captured


class OneCard:
    """What the recipe's step asks of Fabric, for one device; bfloat16 where that is a card."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def autocast(self) -> Any:
        if self.device.type != "cuda":
            return nullcontext()
        return torch.autocast("cuda", torch.bfloat16)

    def backward(self, loss: Tensor) -> None:
        torch.autograd.backward(loss)


class Cast(nn.Module):
    """A network under autocast, its outputs in float32, as Fabric runs it."""

    def __init__(self, module: nn.Module, card: OneCard) -> None:
        super().__init__()
        self.module = module
        self.card = card

    def forward(self, *inputs: Any, **asked: Any) -> Any:
        with self.card.autocast():
            found = self.module(*inputs, **asked)
        return tuple(x.float() for x in found) if isinstance(found, tuple) else found.float()


@dataclass
class Run:
    """One arm with one seed on one share of the data, and what was measured of it."""

    arm: str
    seed: int
    share: float
    state: gan.GanState
    rng: torch.Generator
    path: Path  # of its state
    done: int = 0
    curve: list[list[float]] = field(default_factory=list)  # steps, Fréchet distance
    step: Callable[[], object] = field(init=False)
    stream: Any = None
    told: str = ""

    def __post_init__(self) -> None:
        self.step = self.eager_step
        if self.path.is_file():
            kept = torch.load(self.path, map_location=self.state.fabric.device, weights_only=True)
            for name, part in self.parts.items():
                part.load_state_dict(kept[name])
            self.rng.set_state(kept["rng"].cpu())
            self.done, self.curve = kept["done"], kept["curve"]

    @property
    def measured(self) -> int:
        """How many steps the last measurement was after."""
        return int(self.curve[-1][0]) if self.curve else 0

    @property
    def parts(self) -> dict[str, Any]:
        state = self.state
        return {
            "generator": state.generator, "discriminator": state.discriminator, "ema": state.ema,
            "optimizer_g": state.optimizer_g, "optimizer_d": state.optimizer_d,
        }  # fmt: skip

    def save(self) -> None:
        kept = {name: part.state_dict() for name, part in self.parts.items()}
        kept |= {"rng": self.rng.get_state(), "done": self.done, "curve": self.curve}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, lambda file: torch.save(kept, file))

    def eager_step(self) -> None:
        """The recipe's step on images drawn with replacement."""
        state, count = self.state, self.state.config.samples_per_step
        device = state.images.device
        rows = torch.randint(len(state.images), (count,), generator=self.rng, device=device)
        gan.step(state, (state.images[rows], state.labels[rows]), self.rng)

    def capture(self) -> None:
        """From here on a step is one CUDA graph, on a stream of its own; or it says why not."""
        self.stream = torch.cuda.Stream()
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            for _ in range(WARM_UP):
                self.eager_step()
        self.done += WARM_UP
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        try:
            graph.register_generator_state(self.rng)
            with torch.cuda.graph(graph, stream=self.stream):
                self.eager_step()
        except (RuntimeError, AttributeError) as error:
            self.told = f"not captured as a CUDA graph: {str(error).splitlines()[0]}"
        else:
            self.step = graph.replay


def build(arm: str, seed: int, share: float, images: ImageSet, options: argparse.Namespace) -> Run:
    """The run as the recipe would build it, its state read where there is one."""
    settings, augmented = ARMS[arm]
    device = torch.device(options.device)
    config = GanConfig(
        data=str(options.data), out="unused", steps=options.steps, seed=seed, width=options.width,
        batch_size=options.batch_size, d_steps=options.d_steps, ema_decay=0.999, ema_start=0,
        **settings,
    )  # fmt: skip
    config.check()
    card, rng = OneCard(device), generator_for(seed, purpose=f"{arm} {share}", device=device)
    generator, discriminator = build_networks(config, images)
    if augmented:
        discriminator = Augmented(discriminator, rng)
    run_g, run_d = (Cast(network.to(device), card) for network in (generator, discriminator))
    adam = partial(
        torch.optim.Adam, betas=(config.beta1, config.beta2), eps=config.eps,
        capturable=device.type == "cuda",
    )  # fmt: skip
    negative = gan.transform_of(config, images.images[: config.batch_size])
    state = gan.GanState(
        config=config, fabric=cast(Any, card), splits=Splits(images, images, "none"), data="",
        other=None, generator=run_g, discriminator=run_d,
        optimizer_g=adam(run_g.parameters(), lr=config.lr_g),
        optimizer_d=adam(run_d.parameters(), lr=config.lr_d),
        ema=Ema(generator, decay=config.ema_decay, start=config.ema_start),
        negative=None if negative is None else negative.to(device), positive=None,
        batches=cast(Any, None), images=images.images.to(device),
        labels=torch.zeros(len(images), dtype=torch.int64, device=device), follower=None,
    )  # fmt: skip
    path = options.state / f"{arm}-{seed}-{share:g}.pt"
    return Run(arm, seed, share, state, rng, path)
