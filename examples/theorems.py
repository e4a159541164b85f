"""The two theorems of Sinha et al. (2021) on spaces so small that everything can be computed.

    python examples/theorems.py --out theorems.svg --json theorems.json

The mathematics is in theorem_gan.py and theorem_cpc.py, the figure in theorems_figure.py; this file
runs all of it and prints a table. docs/theorems.md says what is stated, and where it fails.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import theorem_cpc
import theorem_gan


def measure(steps: int, seed: int) -> dict[str, Any]:
    """Everything that is checked, as it goes into the JSON file."""
    codes = [theorem_cpc.best_codes(each, steps, seed) for each in theorem_cpc.AGAINST]
    few = theorem_cpc.best_codes("any", steps, seed, n_codes=len(theorem_cpc.DATA))
    return {
        "settings": {"steps": steps, "seed": seed},
        "space": {
            "data": theorem_gan.shares(theorem_gan.DATA).tolist(),
            "negatives_outside": theorem_gan.shares(theorem_gan.OUTSIDE).tolist(),
            "negatives_inside": theorem_gan.shares(theorem_gan.INSIDE).tolist(),
            "weights": list(theorem_gan.WEIGHTS),
            "overlaps": list(theorem_gan.OVERLAPS),
        },
        "generator": theorem_gan.sweep(steps, seed),
        "discriminator": theorem_gan.compare_discriminators(steps, seed),
        "losses": {"weight": 0.25, "rows": theorem_gan.losses_of_generators(0.25)},
        "wasserstein": theorem_gan.wasserstein(0.25),
        "codes": [*codes, few],
        "vectors": [
            theorem_cpc.best_vectors(against, steps, seed, dimension)
            for dimension in (2, 8)
            for against in theorem_cpc.AGAINST
        ],
    }


def print_generator(results: dict[str, Any]) -> None:
    """Theorem 1, generator: distance of the best g to the data."""
    overlaps, weights = results["space"]["overlaps"], results["space"]["weights"]
    half, full = overlaps.index(0.5), overlaps.index(1.0)
    print("Theorem 1: total variation between the best generator and the data")
    print(f"{'':26}{'λ':>5} {'disjoint':>9} {'half':>6} {'full':>6} {'D_f, disjoint':>14}")
    for row in results["generator"]["rows"]:
        for i, weight in enumerate(weights):
            distances = row["distance"][i]
            print(
                f"{row['divergence'] if i == 0 else '':26}{weight:5} {row['disjoint'][i]:9.0e} "
                f"{distances[half]:6.3f} {distances[full]:6.3f} "
                f"{row['divergence_at_optimum'][i]:14.3f}"
            )
    errors = [row["error_of_closed_form"] for row in results["generator"]["rows"]]
    print(f"largest distance to the closed form: {max(errors):.0e}")


def print_discriminator(results: dict[str, Any]) -> None:
    """Theorem 1, discriminator; and the losses that the theorem does not cover."""
    print("\nTheorem 1: nda.logistic_d's best discriminator, D on data, D on negatives")
    for row in results["discriminator"]:
        on_data, on_negative = row["predicted"][0], row["predicted"][-1]
        shown = "undefined" if on_negative is None else f"{on_negative:.3f}"
        kind = "plain" if row["weight"] == 1 else f"λ = {row['weight']}"
        print(f"{row['generator']:17}{kind:9}{on_data:.3f} {shown:9} error {row['error']:.0e}")
    print(
        "\nWhat the generator wins, λ = 0.25: the loss of the best discriminator (higher is better)"
    )
    for row in results["losses"]["rows"]:
        values = "  ".join(f"{name} {value:.4f}" for name, value in row["loss"].items())
        print(f"{row['generator']:30} distance {row['distance']:.3f}  {values}")
    w = results["wasserstein"]
    print(
        f"Wasserstein (lower is better): {w['at_data']:.3f} at the data, "
        f"{w['best']:.3f} at distance {w['distance']:.3f}"
    )


def print_representations(results: dict[str, Any]) -> None:
    """Theorem 2: overlap of codes, cosines of vectors."""
    print("\nTheorem 2: codes; overlap with negatives, over the searches that came to the top")
    for row in results["codes"]:
        own, anyone, bits = (
            f"{low:.3f}-{high:.3f}"
            for low, high in (row[name] for name in ("overlap_own", "overlap_any", "bits"))
        )
        print(
            f"{row['codes']} codes, negatives: {row['against']:5} objective {row['objective']:.4f} "
            f"of {row['supremum']:.4f} ({row['reached']} of {row['searches']})  "
            f"with one's own {own}, with any {anyone}, bits {bits}"
        )
    print("\nTheorem 2: unit vectors; cosine with the own negative, and the largest with any")
    for row in results["vectors"]:
        print(
            f"{row['dimension']} dimensions, negatives: {row['against']:5} "
            f"{row['cosine_own']:6.3f} {row['cosine_any']:6.3f}"
        )


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description="The theorems, checked numerically.")
    parser.add_argument("--steps", type=int, default=1000, help="steps of every optimisation")
    parser.add_argument("--seed", type=int, default=0, help="of the random starts")
    parser.add_argument("--out", type=Path, help="the figure, an SVG file")
    parser.add_argument("--json", type=Path, help="the numbers")
    options = parser.parse_args(arguments)
    results = measure(options.steps, options.seed)
    results["command"] = shlex.join(
        ["python", "examples/theorems.py", *(arguments or sys.argv[1:])]
    )
    print_generator(results)
    print_discriminator(results)
    print_representations(results)
    if options.json:
        options.json.write_text(json.dumps(results, allow_nan=False) + "\n")
    if options.out:
        from theorems_figure import draw

        options.out.write_text(draw(results))
    return results


if __name__ == "__main__":
    main()
