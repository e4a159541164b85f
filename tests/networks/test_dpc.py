"""The network of DPC: published shapes, the GRU and the prediction against loops, one forward."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nda.errors import ShapeError
from nda.networks.dpc import ActionClassifier, ConvGRU, DensePredictor, VideoEncoder


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_the_published_task_has_the_published_shapes() -> None:
    network = DensePredictor().eval()
    with torch.no_grad():
        cells = network.encoder.cells(random(1, 8, 3, 5, 128, 128))
        assert cells.shape == (1, 8, 256, 4, 4)
        assert network.predict(cells[:, :5]).shape == (1, 3, 256, 4, 4)


def test_the_gru_is_that_of_the_book_at_each_place() -> None:
    gru = ConvGRU(3, dropout=0.0)
    torch.nn.init.uniform_(gru.gates.bias)  # type: ignore[arg-type]
    torch.nn.init.uniform_(gru.content.bias)  # type: ignore[arg-type]
    maps = random(2, 4, 3, 2, 2)
    found = gru(maps)
    assert gru.gates.bias is not None
    assert gru.content.bias is not None
    gates, content = gru.gates.weight[:, :, 0, 0], gru.content.weight[:, :, 0, 0]
    for clip in range(2):
        for i in range(2):
            for j in range(2):
                state = torch.zeros(3)
                for each in maps[clip, :, :, i, j]:
                    both = torch.sigmoid(gates @ torch.cat([each, state]) + gru.gates.bias)
                    update, reset = both[:3], both[3:]
                    new = torch.tanh(content @ torch.cat([each, reset * state]) + gru.content.bias)
                    state = (1 - update) * state + update * new
                torch.testing.assert_close(found[clip, :, i, j], state)


def test_gates_begin_orthogonal_each_by_itself() -> None:
    gru = ConvGRU(4)
    for weight in (*gru.gates.weight.chunk(2), gru.content.weight):
        torch.testing.assert_close(weight.flatten(1) @ weight.flatten(1).T, torch.eye(4))


def test_what_was_predicted_is_taken_as_seen() -> None:
    network = DensePredictor(width=8, steps=3).eval()
    cells = random(2, 2, 32, 2, 2)
    memory = network.encoder.memory
    state = memory(torch.relu(cells))
    expected = []
    for _ in range(3):
        expected.append(network.predictor(state))
        state = memory.renewed(torch.relu(expected[-1]), state)
    torch.testing.assert_close(network.predict(cells), torch.stack(expected, dim=1))


def test_a_prediction_never_sees_what_it_predicts() -> None:
    network = DensePredictor(width=8, steps=2).eval()
    clips = random(1, 4, 3, 2, 32, 32)
    other = clips.clone()
    other[:, 2:] = random(1, 2, 3, 2, 32, 32, seed=1)
    (predicted, target, _), (again, changed, _) = network(clips), network(other)
    assert torch.equal(predicted, again)
    assert not torch.allclose(target, changed)


def test_negative_blocks_share_one_forward_with_the_real_ones() -> None:
    network = DensePredictor(width=8, steps=2)
    clips, negative = random(2, 3, 3, 2, 32, 32), random(2, 2, 3, 2, 32, 32, seed=1)
    seen: list[int] = []
    network.encoder.backbone.register_forward_hook(lambda m, inputs, out: seen.append(len(out)))
    _, target, made = network(clips, negative)
    assert seen == [2 * (3 + 2)]
    assert made.shape == (2, 2, 32, 1, 1)
    network.eval()
    _, target, made = network(clips, negative)
    torch.testing.assert_close(made, network.encoder.cells(negative))
    torch.testing.assert_close(target, network.encoder.cells(clips)[:, 1:])


def test_the_memory_drops_only_in_training() -> None:
    encoder = VideoEncoder(width=8, dropout=0.5)
    clips = random(4, 2, 3, 2, 32, 32)
    assert bool((encoder(clips) == 0).any())
    encoder.eval()
    assert torch.equal(encoder(clips), encoder(clips))
    assert not bool((encoder(clips) == 0).any())


def test_a_classifier_looks_at_the_memory_after_all_blocks() -> None:
    encoder = VideoEncoder(width=8)
    network = ActionClassifier(encoder, 3).eval()
    clips = random(2, 3, 3, 2, 64, 64)
    logits = network(clips)
    assert logits.shape == (2, 3)
    mean = encoder(clips).mean(dim=(2, 3))
    torch.testing.assert_close(logits, network.head(mean))
    for block in range(3):
        other = clips.clone()
        other[:, block] = -clips[:, block]
        assert not torch.equal(network(other), logits)


def test_what_does_not_fit_is_refused() -> None:
    network = DensePredictor(width=8, steps=3)
    with pytest.raises(ShapeError, match="clips of 3 blocks leave none to predict 3 from"):
        network(random(1, 3, 3, 1, 32, 32))
    with pytest.raises(ShapeError, match=r"clips must be \(B, N, 3, T, H, W\); got \(1, 3, 1"):
        network.encoder.cells(random(1, 3, 1, 32, 32))
