"""PaDiM and PatchCore by anomalib's own code, on the features and splits of `anomaly_methods.py`.

anomalib asks for other versions of some packages than nda does, so it has an environment of its
own; this was measured with anomalib 2.7.0.

    python analysis/anomaly_peers.py --data ZIPS --sets tiles --by tile --out peers.json

Both are given EfficientNet-Lite0's maps in the place of their extractor's. All else is as they have
it: PaDiM with 100 of 176 channels, PatchCore with maps at strides 8 and 16 and nine neighbours, but
for a hundredth of the patches as its memory: choosing a tenth takes half an hour a split.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from anomaly_methods import figures, splits_of
from anomaly_sets import Kept, Task, seen, split, tasks
from torch import Tensor, nn

from nda.data.images.parts import one_of_each

LAYERS = {"padim": (0, 1, 2), "patchcore": (1, 2)}
SHARE = 0.01  # of patches that PatchCore keeps


class Given(nn.Module):
    """In the place of an extractor: kept maps of images that are given by their numbers.

    Their numbers stand in the place of pixels (B, 3, 128, 128), whose size the map is brought to.
    """

    def __init__(self, maps: list[Tensor], layers: tuple[int, ...]) -> None:
        super().__init__()
        self.trunk = Kept(maps)
        self.layers = layers

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        levels = self.trunk(images[:, 0, 0, 0].long())
        return {str(layer): levels[layer] for layer in self.layers}


def as_images(rows: Tensor) -> Tensor:
    return rows.double()[:, None, None, None].expand(-1, 3, 128, 128)


def model_of(method: str, maps: list[Tensor], share: float) -> tuple[Any, Callable[[], None]]:
    """A model of anomalib that knows the maps, and what fits it once it has seen images."""
    layers = tuple(str(layer) for layer in LAYERS[method])
    model: Any
    if method == "padim":
        from anomalib.models.image.padim.torch_model import PadimModel

        model = PadimModel("resnet18", ["layer1", "layer2", "layer3"], pre_trained=False)
        channels = sum(maps[layer].shape[1] for layer in LAYERS[method])
        model.idx = torch.randperm(channels)[:100]
        fit = model.fit
    else:
        from anomalib.models.image.patchcore.torch_model import PatchcoreModel

        model = PatchcoreModel(["layer2", "layer3"], "resnet18", pre_trained=False)
        model.memory_bank = torch.empty(0, dtype=torch.float64)  # numbers of images are exact

        def fit() -> None:
            model.subsample_embedding(share)

    model.layers = list(layers)
    model.feature_extractor = Given(maps, LAYERS[method])
    return model, fit


@torch.no_grad()
def measure(
    task: Task, method: str, share: float, maps: list[Tensor], parts: Tensor, seed: int
) -> dict[str, Any]:
    """Fit, calibrate and test on one split."""
    torch.manual_seed(seed)
    fit_rows, known, test = split(parts, seed)
    model, fit = model_of(method, maps, share)
    model.train()
    begun = time.process_time()
    for some in fit_rows.split(32):
        model(as_images(some))
    fit()
    seconds = time.process_time() - begun
    model.eval()
    count = len(task.normal)
    known = known[one_of_each(parts[known], seed)]
    faulty = count + torch.arange(len(task.anomalous))
    heat, scores = {}, {}
    for name, rows in (("known", known), ("test", test), ("faulty", faulty)):
        found = [model(as_images(some)) for some in rows.split(32)]
        heat[name] = torch.cat([each.anomaly_map[:, 0] for each in found]).float()
        scores[name] = torch.cat([each.pred_score.flatten() for each in found]).float()
    row = {"set": task.name, "method": method, "share": share, "seed": seed,
           "fitted": len(fit_rows), "calibrated": len(known),
           "fit_cpu_seconds": round(seconds, 1)}  # fmt: skip
    return row | figures(task, heat, scores, scores.pop("known"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="*", help="names of sets; all, if not given")
    parser.add_argument("--by", nargs="*", help="what splits are made by; all, if not given")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for task in tasks(options.data):
        if options.sets and task.name not in options.sets:
            continue
        maps = seen(torch.cat([task.normal, task.anomalous]))
        for by, parts in splits_of(task).items():
            if options.by and by not in options.by:
                continue
            for seed in range(3):
                for method, share in (("padim", 1.0), ("patchcore", SHARE)):
                    row = measure(task, method, share, maps, parts, seed)
                    rows.append({"split_by": by, **row})
                    print(rows[-1], flush=True)
                    options.out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
