"""The discriminator's output on real images and their jigsaws, for two runs (Figure 4).

python analysis/gap_figure.py RUN_WITHOUT RUN_WITH --out results/gan/gap.svg
"""

from __future__ import annotations

import argparse
from pathlib import Path

from nda.evaluation.record import Histogram
from nda.report.plots.curves import histogram_figure
from nda.training.run_folder import RunFolder


def gap_histogram(folder: Path, name: str = "gap_jigsaw") -> Histogram:
    """The histogram of that name in the run's latest evaluation."""
    histograms = RunFolder.open(folder).evaluations()[-1]["histograms"]
    return next(Histogram(**each) for each in histograms if each["name"] == name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("without", type=Path)
    parser.add_argument("with_negatives", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    panels = {"without NDA": options.without, "with NDA": options.with_negatives}
    figure = histogram_figure([(title, gap_histogram(run)) for title, run in panels.items()])
    options.out.write_text(figure)
    print(options.out)


if __name__ == "__main__":
    main()
