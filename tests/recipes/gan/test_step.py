"""One step of the NDA-GAN, for every setting, and against the loss written out by hand."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nda.data import to_float
from nda.negatives import NEGATIVE_NAMES, negative_from_name
from nda.recipes.gan.train import GanState, update_discriminator, update_generator
from tests.support.tiny_gan import build, changed, take_step, tiny, weights

PLAIN = {"loss_d", "d_real", "d_fake", "loss_g"}
WEIGHTED = PLAIN | {"d_negative"}
SAMPLED = (PLAIN - {"d_fake"}) | {"d_mixture"}
THREE = WEIGHTED | {"right_negative"}
FOLLOWED = {"fake_weight", "right_negative", "right_fake"}

OTHER_SETTINGS: list[tuple[dict[str, Any], set[str]]] = [
    ({"negative": "none"}, PLAIN),
    ({"negative": "none", "joint_forward": False}, PLAIN),
    ({"negative": "jigsaw+stitch+cutout+cutmix+mixup"}, WEIGHTED),
    ({"negative": "jigsaw:grid=4", "joint_forward": False}, WEIGHTED),
    ({"mixture": "sampled"}, SAMPLED),
    ({"mixture": "sampled", "joint_forward": False, "conditional": True}, SAMPLED),
    ({"negative": "data", "classes": "dark", "negative_classes": "light"}, WEIGHTED),
    ({"conditional": True}, WEIGHTED),
    ({"objective": "logistic"}, WEIGHTED),
    ({"objective": "least_squares"}, WEIGHTED),
    ({"objective": "wasserstein", "gradient_penalty": 10.0}, WEIGHTED | {"gradient_penalty"}),
    (
        {"mixture": "sampled", "conditional": True, "gradient_penalty": 1.0},
        SAMPLED | {"gradient_penalty"},
    ),
    (
        {"network": "wgan_gp", "width": 1, "objective": "wasserstein", "gradient_penalty": 10.0},
        WEIGHTED | {"gradient_penalty"},
    ),
    ({"negative": "none", "positives": "cutmix", "positive_probability": 0.7}, PLAIN),
    ({"network": "dcgan", "width": 2, "positives": "horizontal_flip+random_crop"}, WEIGHTED),
    ({"precision": "bf16-mixed"}, WEIGHTED),
    ({"objective": "prior_corrected"}, WEIGHTED),
    ({"objective": "prior_corrected", "mixture": "sampled"}, SAMPLED),
    ({"fake_weight_schedule": "warmup"}, WEIGHTED | {"fake_weight"}),
    ({"fake_weight_schedule": "fade", "mixture": "sampled"}, SAMPLED | {"fake_weight"}),
    ({"zero_centred_penalty": 0.1}, WEIGHTED | {"zero_centred_penalty"}),
    *(({"objective": name, "fake_weight_schedule": "follow"} | more, WEIGHTED | FOLLOWED)
      for name in ("hinge", "logistic", "least_squares", "wasserstein", "prior_corrected")
      for more in ({}, {"precision": "bf16-mixed"})),
    *(({"objective": name} | more, logged)
      for name, logged in (("three_class", THREE), ("relativistic", WEIGHTED))
      for more in ({}, {"precision": "bf16-mixed"}, {"joint_forward": False}, {"conditional": True},
                   {"network": "dcgan", "width": 2}, {"network": "dcgan_dense", "width": 2},
                   {"network": "wgan_gp", "width": 1}, {"positives": "horizontal_flip"})),
    *(({"objective": name, "gradient_penalty": 1.0, "zero_centred_penalty": 0.1},
       logged | {"gradient_penalty", "zero_centred_penalty"})
      for name, logged in (("three_class", THREE), ("relativistic", WEIGHTED))),
    ({"objective": "relativistic", "negative": "none"}, PLAIN),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "logged"),
    [({"negative": name}, WEIGHTED) for name in NEGATIVE_NAMES] + OTHER_SETTINGS,
)
def test_every_setting_trains_both_networks(
    image_folder: Path, changes: dict[str, Any], logged: set[str]
) -> None:
    state = build(tiny(image_folder, **changes))
    generator, discriminator = state.generator.module, state.discriminator.module
    before_g, before_d = weights(generator), weights(discriminator)
    for _ in range(2):
        logs = take_step(state)
        assert logs.keys() == logged
        assert all(value.shape == () and value.isfinite() for value in logs.values())
    # Not all: nothing follows from a bias before a batch norm, or from one that a critic's
    # differences cancel.
    assert sum(changed(before_g, generator)) > 0.7 * len(before_g)
    assert sum(changed(before_d, discriminator)) > 0.7 * len(before_d)
    assert all(part.isfinite().all() for part in weights(generator) + weights(discriminator))


def real_batch(state: GanState) -> tuple[Tensor, Tensor]:
    images, labels = state.batch(0)
    return to_float(images[:8]), labels[:8]


def draws(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("weight", [0.25, 0.5, 1.0])
def test_the_discriminators_update_is_equation_3(
    image_folder: Path, joint: bool, weight: float
) -> None:
    state = build(tiny(image_folder, conditional=True, joint_forward=joint, fake_weight=weight))
    generator = copy.deepcopy(state.generator.module)
    discriminator = copy.deepcopy(state.discriminator.module)
    real, labels = real_batch(state)
    logs = update_discriminator(state, real, labels, draws())

    same = draws()  # the order of the draws: latents, then negatives
    fake = generator(torch.randn(8, 8, generator=same), labels).detach()
    negative = negative_from_name("jigsaw")(real, generator=same)
    if joint:
        three = discriminator(torch.cat([real, fake, negative]), labels.repeat(3)).split(8)
    else:
        three = tuple(discriminator(part, labels) for part in (real, fake, negative))
    loss = torch.zeros(())
    for on_real, on_fake, on_negative in zip(*three, strict=True):
        loss = loss + (1 - on_real).clamp(min=0) / 8
        loss = loss + weight * (1 + on_fake).clamp(min=0) / 8
        loss = loss + (1 - weight) * (1 + on_negative).clamp(min=0) / 8
    torch.autograd.backward(loss)

    torch.testing.assert_close(logs["loss_d"], loss)
    for name, logits in zip(("d_real", "d_fake", "d_negative"), three, strict=True):
        torch.testing.assert_close(logs[name], logits.mean())
    rate, eps = state.config.lr_d, state.config.eps
    for mine, hand in zip(
        state.discriminator.module.parameters(), discriminator.parameters(), strict=True
    ):
        assert hand.grad is not None
        torch.testing.assert_close(mine.grad, hand.grad)
        # The first step of Adam with betas (0, 0.999): a step of lr against the sign.
        step = rate * hand.grad / (hand.grad.square().sqrt() + eps)
        torch.testing.assert_close(mine.data, hand.data - step, atol=rate / 50, rtol=0)


def test_the_discriminators_update_leaves_the_generator_alone(image_folder: Path) -> None:
    state = build(tiny(image_folder))
    before = weights(state.generator.module)
    update_discriminator(state, *real_batch(state), draws())
    assert not any(changed(before, state.generator.module))
    assert all(parameter.grad is None for parameter in state.generator.module.parameters())


def test_the_generators_update_leaves_the_discriminator_alone(image_folder: Path) -> None:
    state = build(tiny(image_folder, conditional=True))
    discriminator = state.discriminator.module
    before = weights(discriminator)
    twins = copy.deepcopy((state.generator.module, discriminator))
    logs = update_generator(state, draws())
    assert not any(changed(before, discriminator))
    assert all(parameter.requires_grad for parameter in discriminator.parameters())
    assert all(parameter.grad is None for parameter in discriminator.parameters())

    same = draws()  # the order of the draws: labels, then latents
    labels = state.labels[torch.randint(40, (8,), generator=same)]
    generator, critic = twins
    logits = critic(generator(torch.randn(8, 8, generator=same), labels), labels)
    torch.testing.assert_close(logs["loss_g"], -logits.mean())
    torch.autograd.backward(-logits.mean())
    for mine, hand in zip(state.generator.module.parameters(), generator.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, hand.grad)


class Recorder:
    """A discriminator that keeps what it is shown."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.shown: list[tuple[Tensor, Tensor]] = []

    def __call__(self, images: Tensor, labels: Tensor) -> Any:
        self.shown.append((images.detach().clone(), labels.clone()))
        return self.network(images, labels)


@pytest.mark.parametrize("joint", [True, False])
def test_every_part_is_shown_under_the_labels_of_the_real_images(
    image_folder: Path, joint: bool
) -> None:
    state = build(tiny(image_folder, conditional=True, joint_forward=joint))
    state.discriminator = recorder = Recorder(state.discriminator)
    real, labels = real_batch(state)
    update_discriminator(state, real, labels, draws())
    assert len(recorder.shown) == (1 if joint else 3)
    images = torch.cat([images for images, _ in recorder.shown])
    given = torch.cat([labels for _, labels in recorder.shown])
    assert torch.equal(given, torch.cat([labels, labels, labels]))
    assert torch.equal(images[:8], real)
    sorted_pixels = (part.flatten(2).sort().values for part in (images[16:], real))
    assert torch.equal(*sorted_pixels)  # a jigsaw has its image's pixels, so its label too


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_a_sampled_mixture_is_one_batch_of_either_kind(image_folder: Path, weight: float) -> None:
    state = build(tiny(image_folder, mixture="sampled", fake_weight=weight))
    state.discriminator = recorder = Recorder(state.discriminator)
    generator = copy.deepcopy(state.generator.module)
    real, labels = real_batch(state)
    update_discriminator(state, real, labels, draws())
    ((images, _),) = recorder.shown
    assert len(images) == 16
    same = draws()
    fake = generator(torch.randn(8, 8, generator=same), labels).detach()
    negative = negative_from_name("jigsaw")(real, generator=same)
    is_fake = torch.rand(8, generator=same) < weight
    for row, mixed in enumerate(images[8:]):
        torch.testing.assert_close(mixed, fake[row] if is_fake[row] else negative[row])


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_the_penalty_lies_between_real_images_and_the_weighted_mixture(
    image_folder: Path, weight: float
) -> None:
    state = build(tiny(image_folder, gradient_penalty=10.0, fake_weight=weight))
    twins = copy.deepcopy((state.generator.module, state.discriminator.module))
    real, labels = real_batch(state)
    logs = update_discriminator(state, real, labels, draws())

    generator, discriminator = twins
    same = draws()  # the order of the draws: latents, negatives, partners, places between
    fake = generator(torch.randn(8, 8, generator=same), labels).detach()
    negative = negative_from_name("jigsaw")(real, generator=same)
    discriminator(torch.cat([real, fake, negative]))  # spectral norm moves with every forward
    is_fake = torch.rand(8, generator=same) < weight
    other = torch.stack([fake[i] if is_fake[i] else negative[i] for i in range(8)])
    share = torch.rand(8, generator=same)[:, None, None, None]
    point = (real + share * (other - real)).requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(point).sum(), point)
    expected = (slope.flatten(1).norm(dim=1) - 1).square().mean()
    torch.testing.assert_close(logs["gradient_penalty"], expected)


def test_negatives_from_data_are_images_of_the_other_classes(image_folder: Path) -> None:
    state = build(tiny(image_folder, negative="data", classes="dark", negative_classes="light"))
    state.discriminator = recorder = Recorder(state.discriminator)
    update_discriminator(state, *real_batch(state), draws())
    ((images, _),) = recorder.shown
    assert state.other is not None
    others = to_float(state.other)
    for shown in images[16:]:
        assert any(torch.equal(shown, image) for image in others)
        assert shown.mean() > 0
    assert (images[:8].mean(dim=(1, 2, 3)) < 0).all()


def test_positives_change_the_real_images_as_often_as_they_should(image_folder: Path) -> None:
    for probability in (0.0, 1.0):
        state = build(
            tiny(image_folder, positives="horizontal_flip", positive_probability=probability)
        )
        state.discriminator = recorder = Recorder(state.discriminator)
        real, labels = real_batch(state)
        update_discriminator(state, real, labels, draws())
        shown = recorder.shown[0][0][:8]
        assert torch.equal(shown, real.flip(-1) if probability else real)


def test_the_average_follows_the_generator_from_its_start(image_folder: Path) -> None:
    state = build(tiny(image_folder, ema_start=1, ema_decay=0.5))
    take_step(state)
    first = weights(state.generator.module)
    assert not any(changed(first, state.ema.module))
    take_step(state)
    second = weights(state.generator.module)
    for average, a, b in zip(state.ema.module.parameters(), first, second, strict=True):
        torch.testing.assert_close(average.data, (a + b) / 2)
