"""Every tenth training image of each class of a folder-like .zip, and all other images, as a .zip.

python analysis/every_tenth.py cifar10.zip --out cifar10-tenth.zip
"""

from __future__ import annotations

import argparse
import zipfile
from collections import Counter
from pathlib import Path

TAKEN = 10


def every_tenth(source: Path, out: Path) -> Counter[str]:
    """Write the smaller set; gives how many training images are kept, by class."""
    seen: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(out, "w") as part:
        for name in sorted(each for each in whole.namelist() if not each.endswith("/")):
            folder = str(Path(name).parent)
            if "train" in Path(name).parts:
                seen[folder] += 1
                if seen[folder] % TAKEN:
                    continue
                kept[folder] += 1
            part.writestr(name, whole.read(name))
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    kept = every_tenth(options.source, options.out)
    print(f"{options.out}: {kept.total():,} training images of {len(kept)} classes")


if __name__ == "__main__":
    main()
