"""The network of Dense Predictive Coding (Han et al., 2019): encoder, memory and predictor."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nda.errors import ShapeError
from nda.networks.resnet2d3d import PUBLISHED_WIDTH, ResNet2d3d


class VideoEncoder(nn.Module):
    """What is carried over to other tasks: a backbone for each block, a memory over the blocks.

    Clips are `(B, N, 3, T, H, W)`: N blocks of T frames, in [-1, 1].

    Args:
        name: resnet18 or resnet34.
        width: channels of the backbone's stem; 64 as published gives D = 256 features a cell.
        dropout: of the memory's state after each block, in training; 0.1 as published.
    """

    def __init__(
        self, name: str = "resnet18", *, width: int = PUBLISHED_WIDTH, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.backbone = ResNet2d3d(name, width=width)
        self.features = self.backbone.features
        self.memory = ConvGRU(self.features, dropout=dropout)

    def cells(self, clips: Tensor) -> Tensor:
        """Each block's map of cells, averaged over its time: `(B, N, D, H / 32, W / 32)`.

        Of either sign; the memory takes them after a ReLU.
        """
        if clips.dim() != 6:
            raise ShapeError(f"clips must be (B, N, 3, T, H, W); got {tuple(clips.shape)}.")
        count = clips.shape[:2]
        return self.backbone(clips.flatten(0, 1)).mean(dim=2).unflatten(0, count)

    def forward(self, clips: Tensor) -> Tensor:
        """The memory after the last block: `(B, D, H / 32, W / 32)`, within (-1, 1)."""
        return self.memory(torch.relu(self.cells(clips)))


class ConvGRU(nn.Module):
    """A GRU at each place, its gates 1 x 1 convolutions over input and state."""

    def __init__(self, features: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.gates = nn.Conv2d(2 * features, 2 * features, 1)  # what to renew, what to forget
        self.content = nn.Conv2d(2 * features, features, 1)
        self.dropout = nn.Dropout(dropout)
        # Each gate by itself orthogonal, as published.
        for weight in (*self.gates.weight.data.chunk(2), self.content.weight.data):
            nn.init.orthogonal_(weight)
        for layer in (self.gates, self.content):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, maps: Tensor, state: Tensor | None = None) -> Tensor:
        """The state after maps `(B, N, D, H, W)`; it begins at zero where none is given."""
        state = torch.zeros_like(maps[:, 0]) if state is None else state
        for each in maps.unbind(dim=1):
            state = self.dropout(self.renewed(each, state))
        return state

    def renewed(self, x: Tensor, state: Tensor) -> Tensor:
        """One step of the GRU: input and state `(B, D, H, W)` to the next state."""
        update, reset = torch.sigmoid(self.gates(torch.cat([x, state], dim=1))).chunk(2, dim=1)
        content = torch.tanh(self.content(torch.cat([x, reset * state], dim=1)))
        return state + update * (content - state)


class DensePredictor(nn.Module):
    """From the first blocks of a clip the cells of its last ones, one after the other.

    Args:
        steps: P, how many of the last blocks are predicted; 3 as published.
    """

    def __init__(
        self,
        name: str = "resnet18",
        *,
        width: int = PUBLISHED_WIDTH,
        steps: int = 3,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.encoder = VideoEncoder(name, width=width, dropout=dropout)
        features = self.encoder.features
        self.predictor = nn.Sequential(
            nn.Conv2d(features, features, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(features, features, 1),
        )
        for layer in self.predictor:
            if isinstance(layer, nn.Conv2d):
                nn.init.orthogonal_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.steps = steps

    def forward(
        self, clips: Tensor, negative: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Predicted and true cells of the last P blocks, and the cells of negative blocks.

        Args:
            clips: `(B, N, 3, T, H, W)`, N above P.
            negative: `(B, P', 3, T, H, W)`, blocks of negative clips; encoded together with the
                real ones, so that batch norm cannot tell the two apart.

        Returns:
            `(B, P, D, h, w)` twice, and `(B, P', D, h, w)` or None.
        """
        blocks = clips.shape[1]
        if blocks <= self.steps:
            raise ShapeError(
                f"clips of {blocks} blocks leave none to predict {self.steps} from; give more "
                "blocks or fewer steps."
            )
        if negative is None:
            cells, made = self.encoder.cells(clips), None
        else:
            # Each clip's negative blocks follow its own: one forward through the backbone.
            both = self.encoder.cells(torch.cat([clips, negative], dim=1))
            cells, made = both[:, :blocks], both[:, blocks:]
        return self.predict(cells[:, : -self.steps]), cells[:, -self.steps :], made

    def predict(self, cells: Tensor) -> Tensor:
        """The cells of the next P blocks after those of `cells` `(B, N, D, h, w)`."""
        state = self.encoder.memory(torch.relu(cells))
        predicted: list[Tensor] = []
        for step in range(self.steps):
            if step:  # what was predicted is taken as seen
                state = self.encoder.memory(torch.relu(predicted[-1])[:, None], state)
            predicted.append(self.predictor(state))
        return torch.stack(predicted, dim=1)


class ActionClassifier(nn.Module):
    """A class for a clip: the memory after all blocks, averaged over places, BN, dropout, linear.

    Args:
        encoder: random, or trained by DPC.
        classes: K.
        dropout: before the linear layer; 0.5 as published.
        frozen: keep weights and statistics of the encoder as they are: it never trains, and stays
            in eval mode.
    """

    def __init__(
        self, encoder: VideoEncoder, classes: int, *, dropout: float = 0.5, frozen: bool = False
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.frozen = frozen
        self.head = nn.Sequential(
            nn.BatchNorm1d(encoder.features),
            nn.Dropout(dropout),
            nn.Linear(encoder.features, classes),
        )
        nn.init.orthogonal_(self.head[2].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.head[2].bias)  # type: ignore[arg-type]
        if frozen:
            encoder.requires_grad_(False)
            encoder.eval()

    def train(self, mode: bool = True) -> ActionClassifier:
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def forward(self, clips: Tensor) -> Tensor:
        """Logits `(B, K)` of clips `(B, N, 3, T, H, W)`."""
        logits: Tensor = self.head(self.encoder(clips).mean(dim=(2, 3)))
        return logits
