"""A trained anomaly network with its calibration: from uint8 images to calibrated scores.

One `.safetensors` file holds everything that scoring needs.
"""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from nda.data.images.image_set import check_images
from nda.data.images.tiles import Tiling
from nda.data.reading.decode import Fit
from nda.errors import CheckpointError, ShapeError, TrainingError
from nda.networks.anomaly_map import AnomalyMap, PlainTrunk
from nda.networks.fit import refuse_misfit
from nda.networks.pretrained.fitted import build_fitted, build_trunk
from nda.runtime.files import StrPath, write_atomically
from nda.runtime.plain_types import wrong_type
from nda.runtime.sealed import load_tensors, read_as, save_tensors
from nda.runtime.seeding import seeded

FORMAT = "nda detector 1"
LEARNED = "negatives"  # the method whose network is trained step by step


@dataclass(frozen=True)
class DetectorSettings:
    """What a detector must be told beside its weights."""

    resolution: int  # side of the images in pixels
    fit: Fit  # how images of another size are brought to it: crop or stretch
    backbone: str  # plain, lite0 or torchvision:NAME
    width: int  # channels
    negative: str  # what it was trained to tell from normal images
    false_alarm_rate: float  # unless another one is asked for
    step: int  # of training
    data: str  # fingerprint of the images it was trained on
    bit_depth: int | None = None  # of files of more than 8 bits; None for the whole range of 16
    method: str = LEARNED  # or what was fitted at once, such as gaussian
    kept: int = 0  # normal images that it was fitted to
    groups: int = 0  # of these, left out in turn to calibrate on; 0 where others were held out
    image_width: int = 0  # pixels of large images, of which the detector sees tiles of `resolution`
    image_height: int = 0
    overlap: int = 0  # pixels that neighbouring tiles share
    templates: int = 0  # that images are compared with
    parts: bool = False  # whether several pictures may be of one part

    @property
    def tiling(self) -> Tiling | None:
        """How an image is cut into what the detector sees; None where it sees all of it at once."""
        if not self.image_width:
            return None
        return Tiling(self.image_width, self.image_height, self.resolution, self.overlap)


class Detector(nn.Module):
    """Images uint8 `(B, 3, R, R)` to `(scores, p_values, maps)`.

    `scores` `(B,)` is the highest value of the image's map, or the mean where the network's
    `pooling` says so, high where it is anomalous; `p_values` `(B,)` says how rare so high a score
    is among normal images (`nda.evaluation.outliers.conformal`); `maps` `(B, h, w)` are the values
    place by place.

    Of large images it sees tiles: an image's score is the highest of its tiles, its p-value the
    lowest, as it is calibrated on the highest of normal images.

    `calibration` are the scores `(n,)` of normal images that were not trained on, `hottest` the
    highest values `(n,)` of their maps; for a network that pools by the maximum they are the same.
    """

    calibration: Tensor
    hottest: Tensor

    def __init__(
        self,
        network: nn.Module,
        calibration: Tensor,
        settings: DetectorSettings,
        hottest: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.settings = settings
        self.register_buffer("calibration", calibration.float().sort().values)
        known = self.calibration
        if hottest is not None and pooling_of(network) != "max":
            known = hottest.float().sort().values
        self.register_buffer("hottest", known, persistent=known is not self.calibration)
        self.eval().requires_grad_(False)

    @classmethod
    def of(
        cls,
        network: nn.Module,
        calibration: Tensor,
        settings: DetectorSettings,
        hottest: Tensor | None = None,
    ) -> Detector:
        """A detector with a copy of a network that may go on learning."""
        return cls(copy.deepcopy(network).cpu(), calibration, settings, hottest)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        side = self.settings.resolution
        if images.dtype != torch.uint8 or images.shape[1:] != (3, side, side):
            raise ShapeError(
                f"This detector takes uint8 images of shape (B, 3, {side}, {side}), values 0 to "
                f"255; got {images.dtype} of shape {tuple(images.shape)}. Resize them to {side} "
                "pixels, and write floats in [0, 1] as (255 * images).round().to(torch.uint8)."
            )
        if images.shape[0] == 0:  # not len(images), which an export would fix at its value
            raise ShapeError("The batch holds no images; give at least one.")
        maps = self.network(images.float() / 127.5 - 1)
        scores = image_scores(maps, pooling_of(self.network))
        return scores, self.rarity(scores), maps

    def rarity(self, scores: Tensor) -> Tensor:
        """Conformal p-values of scores `(B,)`, by comparison with every calibration score.

        The same as `conformal.p_values`, in operations that every export format has.
        """
        as_high = (self.calibration >= scores[:, None]).sum(dim=1)
        return (1 + as_high) / (len(self.calibration) + 1)

    def heat(self, maps: Tensor) -> Tensor:
        """How rare a map is among normal images whose highest value is that of each place.

        On a normal image it falls below `false_alarm_rate` anywhere at all only at that rate.
        """
        below = torch.searchsorted(self.hottest, maps.contiguous())
        return (1 + len(self.hottest) - below) / (len(self.hottest) + 1)


def pooling_of(network: nn.Module) -> str:
    """How an image's score follows from its map: max or mean."""
    return str(network.pooling)


def image_scores(maps: Tensor, pooling: str = "max") -> Tensor:
    """One score an image `(B,)`: its most anomalous place, or the mean over all of them."""
    places = maps.flatten(1)
    return places.amax(dim=1) if pooling == "max" else places.mean(dim=1)


@torch.no_grad()
def score_maps(network: nn.Module, images: Tensor, batch_size: int = 32) -> Tensor:
    """The network's maps of uint8 images `(N, 3, R, R)`, on the CPU `(N, h, w)`.

    Raises `TrainingError` where they are not finite and `ShapeError` for other images.
    """
    check_images(images, "Images to score")
    device = next(network.parameters()).device
    parts = [network(part.to(device).float() / 127.5 - 1) for part in images.split(batch_size)]
    maps = torch.cat(parts).float().cpu()
    if not bool(maps.isfinite().all()):
        raise TrainingError(
            "The network's output is not finite: the run has diverged. Evaluate an earlier "
            "checkpoint, or train with a lower learning rate."
        )
    return maps


def build_network(
    backbone: str, width: int, *, seed: int = 0, published: bool = False
) -> AnomalyMap:
    """The network of these settings with weights that follow from the seed.

    A backbone torchvision:NAME:weights.pth takes those of the file, and lite0, if `published`,
    those of ImageNet.
    """
    trunk: nn.Module
    with seeded(seed):
        if backbone == "plain":
            trunk = PlainTrunk(width)
        else:
            trunk = build_trunk(backbone, seed=seed, published=published)
        network = AnomalyMap(trunk, width)
    return network.to(memory_format=torch.channels_last)


def network_of(settings: DetectorSettings) -> nn.Module:
    """A detector's network, its weights still to be loaded."""
    if settings.method == LEARNED:
        return build_network(settings.backbone, settings.width)
    owners = None
    if settings.groups:  # only their number matters here: what they are comes with the weights
        owners = torch.arange(settings.kept, device="cpu").clamp(max=settings.groups - 1)
    return build_fitted(
        settings.method,
        settings.backbone,
        settings.resolution,
        settings.kept,
        owners=owners,
        templates=settings.templates,
    )


def save_detector(path: StrPath, detector: Detector) -> None:
    """Write weights, calibration and settings as one `.safetensors` file."""
    tensors = {name: value.cpu().contiguous() for name, value in detector.state_dict().items()}
    about = {"format": FORMAT, **asdict(detector.settings)}
    content = save_tensors(tensors, "detector", json.dumps(about))
    write_atomically(Path(path), lambda file: file.write(content))


def load_detector(path: StrPath, device: torch.device | str = "cpu") -> Detector:
    """The detector in a file that `save_detector` wrote.

    Raises `CheckpointError` for a file that is missing, damaged or of something else.

    Examples:
        >>> normal = torch.randint(100, 156, (60, 3, 32, 32), dtype=torch.uint8)
        >>> fitted = nda.AnomalyDetector(resolution=32, steps=2, false_alarm_rate=0.2)
        >>> file = fitted.fit(normal).save("parts.safetensors")
        >>> nda.load_detector(file).settings.resolution
        32
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no detector {path}; give a file that nda wrote.")
    if path.suffix.lower() == ".onnx":
        raise CheckpointError(
            f"{path} is for ONNX Runtime; give the run, or a .safetensors file that "
            "'nda export RUN --format safetensors' writes."
        )
    with read_as("detector", path, "Write it anew with 'nda evaluate RUN'."):
        tensors, metadata = load_tensors(path, ("detector",))
        about = json.loads(metadata["detector"])
        if about.pop("format") != FORMAT:
            raise ValueError("another format")
        settings = DetectorSettings(**about)
        if wrong := wrong_type(about, DetectorSettings):
            raise ValueError(wrong)
        weights = {
            name.removeprefix("network."): value
            for name, value in tensors.items()
            if name not in ("calibration", "hottest")
        }
        refuse_misfit(lambda: network_of(settings), weights)
        network = network_of(settings)
        detector = Detector(network, tensors["calibration"], settings, tensors.get("hottest"))
        detector.load_state_dict(tensors)
    return detector.to(device)
