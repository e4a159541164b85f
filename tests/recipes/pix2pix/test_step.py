"""One step of NDA-Pix2Pix for every setting and against its loss by hand, and a whole training."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nda.data import to_float
from nda.errors import CheckpointError, ConfigError, ShapeError
from nda.negatives import NEGATIVE_NAMES, negative_from_name
from nda.recipes import RECIPES
from nda.recipes.pix2pix import train as pix2pix
from nda.recipes.pix2pix.train import learning_rate, make_negatives
from nda.training.checkpoint import load_checkpoint
from nda.training.run_folder import RunFolder
from nda.training.start import resume, start
from tests.support.tiny_pix2pix import build, tiny_pix2pix, write_street

PLAIN = {"loss_d", "d_real", "d_fake", "loss_g", "l1"}
WITH_NEGATIVES = PLAIN | {"d_negative"}
OTHER_SETTINGS: list[tuple[dict[str, Any], set[str]]] = [
    ({"negative": "none"}, PLAIN),
    ({"negative": "jigsaw+stitch+cutmix"}, WITH_NEGATIVES),
    ({"batch_size": 1, "norm": "batch"}, WITH_NEGATIVES),
    ({"batch_size": 1, "negative": "stitch"}, WITH_NEGATIVES),
    ({"batch_size": 1, "negative": "mixup", "negative_pair": "both"}, WITH_NEGATIVES),
    ({"negative": "cutmix", "negative_pair": "both", "jitter": False}, WITH_NEGATIVES),
    ({"direction": "labels_to_photo", "palette": "none"}, WITH_NEGATIVES),
    ({"objective": "hinge", "patch": 34}, WITH_NEGATIVES),
    ({"objective": "least_squares", "patch": 16}, WITH_NEGATIVES),
    ({"objective": "wasserstein", "gradient_penalty": 10.0}, WITH_NEGATIVES | {"gradient_penalty"}),
    ({"precision": "bf16-mixed"}, WITH_NEGATIVES),
]


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_street(tmp_path_factory.mktemp("street") / "pairs")


def draws(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def parameters(network: torch.nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


@pytest.mark.parametrize(
    ("changes", "logged"),
    [({"negative": name}, WITH_NEGATIVES) for name in NEGATIVE_NAMES] + OTHER_SETTINGS,
)
def test_every_setting_trains_both_networks(
    street: Path, changes: dict[str, Any], logged: set[str]
) -> None:
    state = build(tiny_pix2pix(street, **changes))
    networks = (state.generator.module, state.discriminator.module)
    before = [parameters(network) for network in networks]
    logs = pix2pix.step(state, state.batch(0), draws())
    assert logs.keys() == logged
    assert all(value.shape == () and value.isfinite() for value in logs.values())
    for old, network in zip(before, networks, strict=True):
        changed = [not torch.equal(a, b) for a, b in zip(old, network.parameters(), strict=True)]
        assert sum(changed) > 0.7 * len(changed)
        assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("weight", [0.25, 1.0])
def test_the_step_is_the_published_loss_with_equation_3(street: Path, weight: float) -> None:
    state = build(tiny_pix2pix(street, jitter=False, fake_weight=weight))
    generator = copy.deepcopy(state.generator.module)
    discriminator = copy.deepcopy(state.discriminator.module)
    rows, inputs, targets = state.batch(0)
    torch.manual_seed(0)  # of dropout
    logs = pix2pix.step(state, (rows, inputs, targets), draws())

    condition, real = to_float(inputs), to_float(targets)
    torch.manual_seed(0)
    fake = generator(condition)
    negative = negative_from_name("jigsaw")(real, generator=draws())
    loss = torch.zeros(())
    for image, wanted, share in (
        (real, 1.0, 1.0),
        (fake, 0.0, weight),
        (negative, 0.0, 1 - weight),
    ):
        logits = discriminator(condition, image.detach())
        loss = loss + share * F.binary_cross_entropy_with_logits(
            logits, torch.full_like(logits, wanted)
        )
    torch.testing.assert_close(logs["loss_d"], loss / 2)
    torch.autograd.backward(loss / 2)
    mine = state.discriminator.module
    for parameter, hand in zip(mine.parameters(), discriminator.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, hand.grad, atol=1e-6, rtol=1e-3)

    # The generator meets the discriminator after its update.
    logits = mine(condition, fake)
    adversarial = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    l1 = (fake - real).abs().mean()
    torch.testing.assert_close(logs["loss_g"], adversarial)
    torch.testing.assert_close(logs["l1"], l1)
    torch.autograd.backward(adversarial + 100 * l1)
    module = state.generator.module
    for parameter, hand in zip(module.parameters(), generator.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, hand.grad, atol=1e-5, rtol=1e-3)


class Recorder:
    """A discriminator that keeps what it is shown."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.module = network.module
        self.shown: list[tuple[Tensor, Tensor]] = []

    def __call__(self, condition: Tensor, image: Tensor) -> Any:
        self.shown.append((condition.detach().clone(), image.detach().clone()))
        return self.network(condition, image)


@pytest.mark.parametrize("direction", ["photo_to_labels", "labels_to_photo"])
def test_the_condition_is_kept_and_the_target_made_negative(street: Path, direction: str) -> None:
    state = build(tiny_pix2pix(street, direction=direction, jitter=False))
    state.discriminator = recorder = Recorder(state.discriminator)
    rows, inputs, targets = state.batch(0)
    pixels = state.splits.train.photos, state.splits.train.labels
    if direction == "labels_to_photo":
        pixels = pixels[::-1]
    assert torch.equal(inputs, pixels[0][rows])
    assert torch.equal(targets, pixels[1][rows])
    pix2pix.step(state, (rows, inputs, targets), draws())
    real, fake, negative = recorder.shown
    for condition, _ in recorder.shown:
        assert torch.equal(condition, to_float(inputs))
    assert torch.equal(real[1], to_float(targets))
    assert not torch.equal(fake[1], real[1])
    for image, other in zip(negative[1], real[1], strict=True):
        assert not torch.equal(image, other)
        assert torch.equal(image.flatten(1).sort().values, other.flatten(1).sort().values)


def test_both_of_a_negative_pair_change_alike_and_do_not_belong_together(street: Path) -> None:
    state = build(tiny_pix2pix(street, negative_pair="both", jitter=False))
    rows, inputs, targets = state.batch(0)
    condition, real = to_float(inputs), to_float(targets)
    same = draws()
    steps = torch.randint(1, len(state.inputs), (2,), generator=same)
    jigsaw = negative_from_name("jigsaw")
    params = jigsaw.draw(real, same)
    found = make_negatives(state, rows, condition, real, draws())
    others = to_float(state.inputs[(rows + steps) % len(state.inputs)])
    assert torch.equal(found[0], jigsaw.replay(others, params))
    assert torch.equal(found[1], jigsaw.replay(real, params))
    for seed in range(40):
        torch_rows = torch.randint(1, 8, (2,), generator=draws(seed))
        assert not ((rows + torch_rows) % 8 == rows).any()


def test_a_lone_target_is_mixed_with_another_one_of_the_training_set(street: Path) -> None:
    state = build(tiny_pix2pix(street, batch_size=1, negative="stitch", jitter=False))
    assert state.lends_partner
    rows, inputs, targets = state.batch(0)
    condition, real = to_float(inputs), to_float(targets)
    for seed in range(10):
        kept, negative = make_negatives(state, rows, condition, real, draws(seed))
        assert torch.equal(kept, condition)
        assert negative.shape == real.shape
        half = negative[0] == real[0]
        left = half[:, :, :32].all() or half[:, :32].all()
        assert left  # one half is its own
        rest = [
            other
            for other in range(8)
            if torch.equal(negative[0, :, 32:], to_float(state.targets[other])[:, 32:])
            or torch.equal(negative[0, :, :, 32:], to_float(state.targets[other])[:, :, 32:])
        ]
        assert rest
        assert rest != rows.tolist()


def test_jitter_moves_input_and_target_alike(street: Path) -> None:
    state = build(tiny_pix2pix(street))
    state.discriminator = recorder = Recorder(state.discriminator)
    rows = torch.tensor([0, 1])
    # The same picture as input and target; of labels the nearest pixel is taken.
    picture = state.targets[rows]
    pix2pix.step(state, (rows, picture, picture), draws())
    condition, target = recorder.shown[0]
    assert not torch.equal(target, to_float(picture))
    assert (condition - target).abs().mean() < 0.1
    for flipped in (target.flip(-1), target.roll(8, -2)):
        assert (condition - flipped).abs().mean() > (condition - target).abs().mean()


def test_the_learning_rate_falls_over_the_last_part_of_the_steps() -> None:
    config = tiny_pix2pix(Path("unused"), steps=100, lr_decay_from=0.5, lr=0.1)
    rates = [learning_rate(step, config) for step in range(100)]
    assert rates[:50] == [0.1] * 50
    assert rates[75] == pytest.approx(0.05)
    assert rates[99] == pytest.approx(0.002)
    constant = tiny_pix2pix(Path("unused"), steps=100, lr=0.1)
    assert learning_rate(99, constant) == 0.1


@pytest.mark.parametrize("changes", [{}, {"batch_size": 1, "negative": "stitch", "norm": "batch"}])
def test_a_resumed_run_is_the_same_run(
    street: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    whole = start(RECIPES["pix2pix"].recipe(), tiny_pix2pix(street, tmp_path / "whole", **changes))
    assert whole.train()
    part = start(RECIPES["pix2pix"].recipe(), tiny_pix2pix(street, tmp_path / "part", **changes))
    for _ in range(2):
        part._one_step()
    part.save()
    again = resume(
        RECIPES["pix2pix"].recipe(), type(part.config), RunFolder.open(tmp_path / "part")
    )
    assert again.state.step == 2
    assert again.train()
    mine, expected = (
        load_checkpoint(tmp_path / name / "checkpoints" / "latest")["state"]
        for name in ("part", "whole")
    )
    for network in ("generator", "discriminator"):
        for key, value in expected[network].items():
            assert torch.equal(mine[network][key], value), key
    for optimizer in ("optimizer_g", "optimizer_d"):
        for index, moments in expected[optimizer]["state"].items():
            for key, value in moments.items():
                assert torch.equal(mine[optimizer]["state"][index][key], value), (index, key)
    output = "samples/output-00000004.png"
    assert (tmp_path / "part" / output).read_bytes() == (tmp_path / "whole" / output).read_bytes()


def test_another_palette_is_other_data(street: Path, tmp_path: Path) -> None:
    data = write_street(tmp_path / "own")
    run = start(RECIPES["pix2pix"].recipe(), tiny_pix2pix(data, tmp_path / "run", steps=2))
    assert run.train()
    palette = data / "palette.txt"
    palette.write_text(palette.read_text().replace("128 64 128", "128 64 129"))
    with pytest.raises(CheckpointError, match=r"is not what .* was trained on"):
        resume(
            RECIPES["pix2pix"].recipe(), type(run.config), RunFolder.open(tmp_path / "run"), steps=4
        )


def test_a_negative_that_cannot_take_the_targets_is_refused(street: Path) -> None:
    with pytest.raises(ShapeError, match="jigsaw cannot cut images of 64 x 64"):
        build(tiny_pix2pix(street, negative="jigsaw:grid=5"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"palette": None}, "--palette is missing, which says what the labels' colours"),
        ({"palette": "nowhere.txt"}, "palette is 'nowhere.txt', and there is no such file"),
        ({"resolution": 100}, "resolution is 100; the networks of pix2pix take 256, 128 or 64"),
        ({"resolution": None}, "resolution is None; the networks of pix2pix take"),
        ({"target_data": "x", "side_by_side": True}, "--target_data and --side_by_side exclude"),
        ({"inputs": "labels"}, "inputs and targets are both 'labels'; name two folders"),
        ({"classes": "sky"}, "classes is 'sky', but pairs have no class folders"),
        ({"negative": "data"}, "--negative data is not known here"),
        ({"fake_weight": 1.5}, "fake_weight is 1.5; it must lie between 0 and 1"),
        ({"lr_decay_from": -0.1}, "lr_decay_from is -0.1; it must lie between 0 and 1"),
        ({"beta1": 1.0}, "beta1 is 1.0; it must be at least 0 and below 1"),
        ({"lr": float("nan")}, "lr is nan; it must be above 0"),
        ({"width": 0}, "width is 0; it must be at least 1"),
        ({"l1_weight": -1.0}, "l1_weight is -1.0; it must be at least 0"),
        ({"gradient_penalty": 10.0, "devices": 2}, "gradient_penalty differentiates twice"),
    ],
)
def test_settings_out_of_range_are_refused(
    street: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny_pix2pix(street, **changes).check()
