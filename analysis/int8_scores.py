"""What 8-bit numbers in the backbone cost a detector, and what they bring.

Magnetic tiles, split by tile as in anomaly_methods.py; `nda export --int8` rounds EfficientNet-
Lite0, with ranges from 128 of the images fitted to. Three detectors are calibrated on the same
images:

- `float`: nothing is rounded;
- `int8, fitted to floats`: as quantisation after training usually is;
- `int8`: fitted to rounded features as well, as `nda export --int8` does.

`old_false_alarms` are those of its scores against the calibration scores of `float`. Speed is that
of whole ONNX files, one thread, turn by turn, in images a CPU second.

    python analysis/int8_scores.py --data FOLDER --out results/anomaly/int8.json
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from anomaly_sets import SIDE, Kept, Task, split, tiles
from scipy.stats import spearmanr
from torch import Tensor, nn

from nda.data import to_float
from nda.data.images.parts import one_of_each
from nda.evaluation.outliers.auroc import measure_outliers
from nda.evaluation.outliers.conformal import p_values
from nda.evaluation.outliers.detector import Detector, DetectorSettings, image_scores
from nda.export.detector import onnx_model, onnx_runtime
from nda.export.int8_detector import whole_model
from nda.export.int8_trunk import RANGES, int8_trunk
from nda.networks.pretrained.fitted import build_fitted
from nda.networks.pretrained.lite0 import pretrained_trunk

FLOAT, PLAIN, ANEW = "float", "int8, fitted to floats", "int8"
RATES = (0.05, 0.1)
TURNS = 31


@torch.no_grad()
def features_of(trunk: nn.Module, images: Tensor) -> list[Tensor]:
    """The maps of all images uint8 (N, 3, S, S)."""
    parts = [trunk(to_float(part)) for part in images.split(32)]
    return [torch.cat(level).contiguous() for level in zip(*parts, strict=True)]


def ranges_of(images: Tensor) -> Tensor:
    return images[torch.linspace(0, len(images) - 1, RANGES).long()]


@torch.no_grad()
def scorer(method: str, fitted_to: list[Tensor], asked: list[Tensor], fit: Tensor) -> Any:
    """What scores images by their numbers with features `asked`, fitted to others."""
    network = build_fitted(method, "lite0", SIDE, len(fit))
    network.trunk = Kept(fitted_to)
    network.fit(fit.split(32))
    network.trunk = Kept(asked)
    return lambda rows: image_scores(
        torch.cat([network(part) for part in rows.split(32)]), network.pooling
    )


@torch.no_grad()
def one_split(
    task: Task, method: str, exact: list[Tensor], rounded: list[Tensor], seed: int
) -> list[dict[str, Any]]:
    """The three detectors on one split."""
    fit, known, test = split(task.parts, seed)
    known = known[one_of_each(task.parts[known], seed)]
    faulty = len(task.normal) + torch.arange(len(task.anomalous))
    rows: list[dict[str, Any]] = []
    floats: dict[str, Tensor] = {}
    ways = {FLOAT: (exact, exact), PLAIN: (exact, rounded), ANEW: (rounded, rounded)}
    for way, (fitted_to, asked) in ways.items():
        score = scorer(method, fitted_to, asked, fit)
        found = {"known": score(known), "test": score(test), "faulty": score(faulty)}
        floats = floats or found
        row: dict[str, Any] = {"method": method, "seed": seed, "way": way}
        row["auroc"] = measure_outliers(found["test"], found["faulty"]).auroc
        for rate in RATES:
            row[f"false_alarms_at_{rate:g}"] = flagged(found["test"], found["known"], rate)
            row[f"old_false_alarms_at_{rate:g}"] = flagged(found["test"], floats["known"], rate)
            row[f"found_at_{rate:g}"] = flagged(found["faulty"], found["known"], rate)
        ours, theirs = (torch.cat([each["test"], each["faulty"]]) for each in (found, floats))
        row["spearman"] = float(spearmanr(ours, theirs)[0])
        row["greatest_difference"] = float((ours - theirs).abs().max() / theirs.std())
        rows.append(row)
    return rows


def flagged(scores: Tensor, calibration: Tensor, rate: float) -> float:
    return float((p_values(scores, calibration) <= rate).float().mean())


@torch.no_grad()
def speed(task: Task, method: str) -> dict[str, Any]:
    """Size and speed of the whole file, in floats and with 8 bits, turn by turn."""
    fit, _, test = split(task.parts, 0)
    images = task.normal[fit]
    about = DetectorSettings(
        SIDE, "stretch", "lite0", 16, "none", 0.1, 1, "", method=method, kept=len(fit)
    )
    files = []
    for bits in (32, 8):
        network = build_fitted(method, "lite0", SIDE, len(fit), published=True)
        if bits == 8:
            network.trunk = int8_trunk(network.trunk, ranges_of(images))
        network.fit(to_float(part) for part in images.split(32))
        detector = Detector.of(network, torch.arange(28.0), about)
        whole = bits == 32
        files.append(
            onnx_model(detector, "onnx") if whole else whole_model(detector).SerializeToString()
        )
    runtime = onnx_runtime()
    one = runtime.SessionOptions()
    one.intra_op_num_threads = one.inter_op_num_threads = 1
    where = {"providers": ["CPUExecutionProvider"]}
    sessions = [runtime.InferenceSession(file, one, **where) for file in files]
    batch = {"images": task.normal[test[:32]].numpy()}
    times = np.array([[spent(each, batch) for each in sessions] for _ in range(TURNS)])
    return {
        "images_per_cpu_second": [round(float(n), 1) for n in 32 / np.median(times, axis=0)],
        "times_as_fast_quantiles": [
            round(float(n), 2) for n in np.quantile(times[:, 0] / times[:, 1], (0.1, 0.5, 0.9))
        ],
        "megabytes": [round(len(file) / 1e6, 1) for file in files],
    }


def spent(session: Any, batch: dict[str, Any]) -> float:
    begun = time.process_time()
    session.run(None, batch)
    return time.process_time() - begun


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Means over the splits, and their standard errors; what AUROC is lost, split by split."""
    found = []
    for method, way in dict.fromkeys((row["method"], row["way"]) for row in rows):
        some, exact = (
            [row for row in rows if (row["method"], row["way"]) == (method, which)]
            for which in (way, FLOAT)
        )
        row: dict[str, Any] = {"method": method, "way": way, "splits": len(some)}
        lost = [a["auroc"] - b["auroc"] for a, b in zip(exact, some, strict=True)]
        for name, values in (
            *((name, [each[name] for each in some]) for name in list(some[0])[3:]),
            ("auroc_lost", lost),
        ):
            row[name] = round(float(np.mean(values)), 4)
            row[f"{name}_error"] = round(float(np.std(values, ddof=1)) / len(some) ** 0.5, 4)
        found.append(row | {"auroc_lost_at_most": round(max(lost), 4)})
    return found


def instructions() -> list[str]:
    """Those for products of 8-bit numbers that the processor has, as far as Linux says."""
    info = Path("/proc/cpuinfo")
    flags = info.read_text(encoding="utf-8").split() if info.exists() else []
    return sorted({flag for flag in flags if "vnni" in flag or "int8" in flag})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--methods", default="gaussian,neighbours")
    options = parser.parse_args()
    methods = options.methods.split(",")
    torch.set_num_threads(1)
    task = tiles(options.data)
    everything, rows = torch.cat([task.normal, task.anomalous]), []
    trunk = pretrained_trunk(top=True).eval()
    exact = features_of(trunk, everything)
    for seed in range(options.splits):
        fit = split(task.parts, seed)[0]
        print(f"split {seed}", flush=True)
        rounded = features_of(int8_trunk(trunk, ranges_of(task.normal[fit])), everything)
        for method in methods:
            rows += one_split(task, method, exact, rounded, seed)
    speeds = {method: speed(task, method) for method in methods}
    found = {"summary": summary(rows), "speed": speeds, "instructions": instructions()}
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
