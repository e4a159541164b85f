"""The magnetic tiles in three splits by tile, as sets in their own layout.

Split by picture, almost every normal picture to test with has a picture of the same tile among
those that were learned from, which hardly a faulty one has.

    python analysis/tiles_by_part.py --data magnetic_tile_anomaly.zip --out FOLDER

Names of normal pictures begin with their tile's number: `nda train anomaly --group 't([0-9]+)_'`.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

from anomaly_sets import parts_of, split


def write_zip(source: Path, target: Path, seed: int) -> None:
    """The set with a fifth of its tiles in the test split."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as out:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        normal = [name for name in names if "/good/" in name]
        parts = parts_of(normal)
        test = set(split(parts, seed)[2].tolist())
        for row, name in enumerate(normal):
            side = "test" if row in test else "train"
            own = f"t{int(parts[row]):03d}_{Path(name).name}"
            out.writestr(f"{side}/good/{own}", archive.read(name))
        for name in names:
            if "/good/" not in name and name.startswith(("test/", "ground_truth/")):
                out.writestr(name, archive.read(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for seed in range(3):
        write_zip(options.data, options.out / f"tiles-by-part-{seed}.zip", seed)


if __name__ == "__main__":
    main()
