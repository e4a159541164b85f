"""Encoders for other programs: the weights as timm, torchvision or nda itself read them.

With every file come the lines of Python that open it. Those very lines are run on the file before
it is kept, and their network must give the encoder's features.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from nda.errors import CheckpointError, ConfigError, ShapeError
from nda.evaluation.features.extract import extract_features
from nda.export.detector import ExportError, Parity, compared_images
from nda.networks.resnet import PUBLISHED_WIDTH, build_encoder
from nda.recipes.encoders import Pretrained
from nda.runtime.digest import weights_digest
from nda.runtime.files import StrPath, follow_umask, temporary_folder
from nda.runtime.sealed import load_tensors, save_tensors
from nda.runtime.seeding import seeded

if TYPE_CHECKING:
    from torchvision.models.resnet import ResNet

EncoderFormat = Literal["timm", "torchvision", "safetensors"]
FORMAT = "nda encoder 1"
TOLERANCE = 1e-5  # of a feature, relative to the largest of its image
_LARGE = 128  # side of the images compared where the encoder has been trained on none
_BATCH = 32


def export_encoder(encoder: Pretrained, path: StrPath, kind: EncoderFormat) -> Parity:
    """Write the encoder's weights to `path`, once `opening_lines` are seen to give its features.

    Raises `ConfigError` where timm is asked for and not installed, and `ExportError`, a fault of
    ours, where the file gives other features; nothing is written then.
    """
    path = Path(path)
    if kind == "timm":
        _require_timm()
    with temporary_folder(path) as folder:
        written = folder / path.name
        _write(encoder, written, kind)
        again = opened_by(opening_lines(encoder.name, encoder.width, written, kind))
        parity = compare(encoder, again)
        follow_umask(written)
        written.replace(path)
    return parity


def load_encoder(path: StrPath) -> ResNet:
    """The encoder in a file of `--format safetensors`, frozen in eval mode.

    It takes float images `(B, 3, H, W)` in [-1, 1] and gives features `(B, D)`. Raises
    `CheckpointError` for a file that is missing, damaged or of something else.

    Examples:
        >>> from nda.export.encoder import export_encoder
        >>> from nda.recipes.encoders import open_encoder
        >>> random = open_encoder("none", network="cifar_resnet18", width=4)
        >>> parity = export_encoder(random, "encoder.safetensors", "safetensors")
        >>> encoder = nda.load_encoder("encoder.safetensors")
        >>> encoder(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 32])
    """
    path = Path(path)
    try:
        tensors, metadata = load_tensors(Path(path), ("encoder",))
        about = json.loads(metadata.get("encoder", "{}"))
        if about.get("format") != FORMAT:
            raise CheckpointError(
                f"{path} is no encoder of this version of nda. Write one with "
                "'nda export RUN --format safetensors'."
            )
        network = build_encoder(about["network"], width=about["width"])
        network.load_state_dict(tensors)
    except CheckpointError:
        raise
    except (
        OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, RecursionError,
    ) as error:  # fmt: skip
        raise CheckpointError(
            f"{path} could not be read as an encoder ({type(error).__name__}); it is missing, cut "
            "short or damaged. Export it anew."
        ) from error
    network.eval().requires_grad_(False)
    network.register_forward_pre_hook(_refuse_others)
    if weights_digest(network) != about["digest"]:
        raise CheckpointError(
            f"The weights in {path} are not those that were exported. Export it anew."
        )
    return network


def _refuse_others(_: nn.Module, inputs: tuple[Any, ...]) -> None:
    """Before a forward: refuse what no encoder was trained on (`ShapeError`)."""
    images = inputs[0]
    if not images.dtype.is_floating_point or images.dim() != 4 or images.shape[1] != 3:
        raise ShapeError(
            f"An encoder takes float images of shape (B, 3, H, W) in [-1, 1]; got {images.dtype} "
            f"of shape {tuple(images.shape)}. Convert uint8 images with nda.data.to_float."
        )


def opening_lines(name: str, width: int, path: Path, kind: EncoderFormat) -> str:
    """Python that builds the network in plain timm or torchvision and fills it from `path`."""
    lines: dict[EncoderFormat, Callable[[], list[str]]] = {
        "timm": lambda: [
            "import timm, torch",
            "from safetensors.torch import load_file",
            *_timm_lines(name, width),
            f"net.load_state_dict(load_file({str(path)!r}), strict=True)",
        ],
        "torchvision": lambda: [
            "import torch, torchvision",
            *_torchvision_lines(name, width),
            f"net.load_state_dict(torch.load({str(path)!r}, weights_only=True), strict=True)",
        ],
        "safetensors": lambda: [
            "from nda.export.encoder import load_encoder",
            f"net = load_encoder({str(path)!r})",
        ],
    }
    return "\n".join([*lines[kind](), "net.eval()"])


def opened_by(lines: str) -> nn.Module:
    """The network that `opening_lines` build: our own text, of which only the path is given."""
    found: dict[str, Any] = {}
    with seeded(0):  # the caller's random state stays as it is
        exec(lines, found)
    network: nn.Module = found["net"]
    return network


def compare(encoder: Pretrained, exported: nn.Module) -> Parity:
    """Features of both on the same images (`ExportError` where they differ)."""
    images = compared_images(encoder.resolution or _LARGE)
    plain = copy.deepcopy(encoder.network).cpu()
    ours = extract_features(plain, images, batch_size=_BATCH)
    with torch.no_grad():
        theirs = extract_features(exported, images, batch_size=_BATCH)
    if theirs.shape != ours.shape:
        raise ExportError(
            f"the exported encoder gives features {tuple(theirs.shape)}, not {tuple(ours.shape)}"
        )
    unit = ours.abs().amax(dim=1, keepdim=True).clamp(min=1e-12)
    largest = float(((theirs - ours).abs() / unit).max())
    if not largest <= TOLERANCE:
        raise ExportError(f"the exported encoder's features differ from PyTorch's by {largest:.2e}")
    return Parity(len(images), largest)


def _write(encoder: Pretrained, path: Path, kind: EncoderFormat) -> None:
    weights: dict[str, Tensor] = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in encoder.network.state_dict().items()
    }
    if kind == "torchvision":
        torch.save(weights, path)
        return
    about = {
        "network": encoder.name,
        "width": encoder.width,
        "resolution": encoder.resolution,
        "negative": encoder.origin.negative,
        "step": encoder.origin.step,
        "digest": encoder.origin.digest,
        "images": "RGB in [-1, 1]: mean 0.5, standard deviation 0.5",
    }
    if kind == "safetensors":
        about["format"] = FORMAT
    path.write_bytes(save_tensors(weights, "encoder", json.dumps(about)))


def _torchvision_lines(name: str, width: int) -> list[str]:
    plain = name.removeprefix("cifar_")
    lines = [f"net = torchvision.models.{plain}()", "net.fc = torch.nn.Identity()"]
    if width != PUBLISHED_WIDTH:
        block, layers = _parts(plain)
        lines += [
            f"net.inplanes, net.bn1 = {width}, torch.nn.BatchNorm2d({width})",
            f"for i, n in enumerate({layers}):",
            f"    stage = net._make_layer(torchvision.models.resnet.{block}, {width} << i, n, "
            "stride=1 if i == 0 else 2)",
            '    setattr(net, f"layer{i + 1}", stage)',
        ]
    return lines + _stem_lines(name, width)


def _timm_lines(name: str, width: int) -> list[str]:
    plain = name.removeprefix("cifar_")
    if width == PUBLISHED_WIDTH:
        return [f'net = timm.create_model("{plain}", num_classes=0)', *_stem_lines(name, width)]
    block, layers = _parts(plain)
    channels = tuple(width << stage for stage in range(4))
    # timm's stem has 64 channels whatever the stages have, so the first block is made anew as well.
    down = f", downsample=resnet.downsample_conv({width}, {4 * width}, 1)"
    return [
        "from timm.models import resnet",
        f"net = resnet.ResNet(resnet.{block}, {layers}, num_classes=0, channels={channels})",
        f"net.bn1 = torch.nn.BatchNorm2d({width})",
        f"net.layer1[0] = resnet.{block}({width}, {width}{down if block == 'Bottleneck' else ''})",
        *_stem_lines(name, width),
    ]


def _stem_lines(name: str, width: int) -> list[str]:
    """The stem of small images, or of other widths than the published one."""
    if name.startswith("cifar_"):
        return [
            f"net.conv1 = torch.nn.Conv2d(3, {width}, 3, padding=1, bias=False)",
            "net.maxpool = torch.nn.Identity()",
        ]
    if width != PUBLISHED_WIDTH:
        return [f"net.conv1 = torch.nn.Conv2d(3, {width}, 7, stride=2, padding=3, bias=False)"]
    return []


def _parts(plain: str) -> tuple[str, list[int]]:
    if plain == "resnet18":
        return "BasicBlock", [2, 2, 2, 2]
    return "Bottleneck", [3, 4, 6, 3]


def _require_timm() -> None:
    try:
        import timm  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "--format timm is checked with the package timm, which is not installed; install it "
            "with pip install timm, or give --format torchvision."
        ) from error
