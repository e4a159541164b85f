"""FID, KID, Inception score, precision and recall, with torch-fidelity as the backend.

Features and statistics are torch-fidelity's (Inception v3 as converted from TensorFlow), so the
figures agree with its own; the Fréchet distance is computed without a matrix square root. Nothing
is downloaded: the weights are given as a file or found where torch-fidelity keeps them.
"""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from urllib.parse import urlparse

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import (
    URL_INCEPTION_V3,
    FeatureExtractorInceptionV3,
)
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric
from torch_fidelity.version import __version__ as torch_fidelity_version

from nda.data.images.image_set import check_images
from nda.errors import CheckpointError, DataError
from nda.evaluation.fidelity.frechet import frechet_distance
from nda.evaluation.record import Metric, Protocol
from nda.runtime.files import StrPath

POOLED, LOGITS = "2048", "logits_unbiased"  # torch-fidelity's names of the layers
SPLITS = 10  # of the Inception score
SUBSETS = 100  # of KID
SUBSET_SIZE = 1000  # of KID, at most
NEIGHBOURS = 3  # of precision and recall


def inception_weights(path: StrPath | None = None) -> Path | None:
    """The weights file: `path`, else torch-fidelity's in the cache of torch hub, else None.

    Raises `DataError` where `path` is given and is no file.
    """
    if path is not None:
        path = Path(path)
        if not path.is_file():
            raise DataError(
                f"There are no Inception weights at {path}. Download {URL_INCEPTION_V3} and give "
                "the path of that file."
            )
        return path
    name = Path(urlparse(URL_INCEPTION_V3).path).name
    cached = Path(torch.hub.get_dir()) / "checkpoints" / name
    return cached if cached.is_file() else None


def inception_metrics(
    real: Tensor,
    generated: Tensor,
    *,
    weights: StrPath | None,
    protocol: Protocol,
    device: torch.device | str = "cpu",
    batch_size: int = 64,
) -> list[Metric]:
    """FID, KID, Inception score, precision and recall of `generated` against `real`.

    Both are uint8 (N, 3, H, W), at least 10 each; `weights` as `inception_weights` takes them.
    `protocol` is what the caller knows (split, EMA, batch-norm mode), to which backend, weights
    and sample numbers are added. KID's subsets have 1000 images, or all where there are fewer.
    Raises `DataError` without weights or with too few images, `ShapeError` for images of another
    form, and `CheckpointError` for a file that does not hold the weights.
    """
    _check_images("real", real)
    _check_images("generated", generated)
    path = inception_weights(weights)
    if path is None:
        raise DataError(
            f"The Inception weights are not on this machine. Download {URL_INCEPTION_V3} and give "
            "its path, or measure the classifier Fréchet distance instead."
        )
    network = _inception(path).to(device)
    features_r, _ = _features(network, real, batch_size)
    features_g, logits_g = _features(network, generated, batch_size)
    protocol = {
        **protocol,
        "backend": f"torch-fidelity {torch_fidelity_version}",
        "features": f"inception-v3-compat, weights sha256 {_sha256(path)[:8]}",
        "real_images": len(real),
        "generated_images": len(generated),
    }
    fid = frechet_distance(features_r, features_g)
    return [
        Metric("fid", "FID", fid, "lower", protocol),
        *_kid(features_r, features_g, protocol),
        *_inception_score(logits_g, protocol),
        *_precision_recall(features_r, features_g, protocol),
    ]


def _kid(real: Tensor, generated: Tensor, protocol: Protocol) -> list[Metric]:
    size = min(SUBSET_SIZE, len(real), len(generated))
    found = kid_features_to_metric(
        generated, real, kid_subsets=SUBSETS, kid_subset_size=size, verbose=False
    )
    mean, spread = (found[f"kernel_inception_distance_{part}"] for part in ("mean", "std"))
    protocol = {**protocol, "kid_subsets": SUBSETS, "kid_subset_size": size}
    return [
        Metric("kid", "KID", mean, "lower", protocol),
        Metric("kid_std", "KID, standard deviation over subsets", spread, "", protocol),
    ]


def _inception_score(logits: Tensor, protocol: Protocol) -> list[Metric]:
    found = isc_features_to_metric(logits, splits=SPLITS)
    mean, spread = (found[f"inception_score_{part}"] for part in ("mean", "std"))
    protocol = {**protocol, "inception_score_splits": SPLITS}
    title = "Inception score, standard deviation over splits"
    return [
        Metric("inception_score", "Inception score", mean, "higher", protocol),
        Metric("inception_score_std", title, spread, "", protocol),
    ]


def _precision_recall(real: Tensor, generated: Tensor, protocol: Protocol) -> list[Metric]:
    # The generated features come first: the other way round the two figures change places.
    found = prc_features_to_metric(
        generated, real, prc_neighborhood=NEIGHBOURS, save_cpu_ram=True, verbose=False
    )
    protocol = {**protocol, "neighbours": NEIGHBOURS}
    return [
        Metric("precision", "Precision", found["precision"], "higher", protocol),
        Metric("recall", "Recall", found["recall"], "higher", protocol),
    ]


def _inception(path: Path) -> nn.Module:
    try:
        # torch-fidelity unpickles whatever the file holds; what passes here cannot run code.
        torch.load(path, map_location="cpu", weights_only=True)
        network: nn.Module = FeatureExtractorInceptionV3(
            "inception-v3-compat", [POOLED, LOGITS], feature_extractor_weights_path=str(path)
        )
    except (pickle.UnpicklingError, RuntimeError, EOFError, TypeError) as error:
        raise CheckpointError(
            f"{path} does not hold torch-fidelity's Inception weights. Download "
            f"{URL_INCEPTION_V3} again."
        ) from error
    return network


@torch.no_grad()
def _features(network: nn.Module, images: Tensor, batch_size: int) -> tuple[Tensor, Tensor]:
    """Pooled features (N, 2048) and logits (N, 1008), on the CPU."""
    device = next(network.parameters()).device
    parts = [network(part.to(device)) for part in torch.split(images, batch_size)]
    pooled, logits = zip(*parts, strict=True)
    return torch.cat(pooled).cpu(), torch.cat(logits).cpu()


def _check_images(which: str, images: Tensor) -> None:
    check_images(images, f"{which.capitalize()} images for Inception")
    if len(images) < SPLITS:
        raise DataError(
            f"Inception figures need at least {SPLITS} {which} images, and some thousands to mean "
            f"much; got {len(images)}."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
