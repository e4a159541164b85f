"""`nda quickstart`: the paper's numerosity experiment (Appendix A) at a size two cores finish.

Images hold exactly four dots. Two GANs are trained on them from the same seed: one as usual, one
that is also shown images of two, three and five dots as negatives. Then the dots in what they
generate are counted.
"""

from __future__ import annotations

from pathlib import Path

from nda.api.settings import QuickstartOptions
from nda.commands.parser import parse
from nda.errors import ConfigError
from nda.validators import at_least

SIZE = 24  # pixels

DOTS = 4

IMAGES = {2: 3400, 3: 3300, 4: 10_000, 5: 3300}  # images in the archive by their number of dots

# What both runs share: small enough for two cores and a few minutes.
SHARED: dict[str, object] = {
    "network": "dcgan",
    "width": 16,
    "latent_dim": 64,
    "objective": "logistic",
    "batch_size": 64,
    "d_steps": 1,
    "lr_g": 1e-3,
    "lr_d": 1e-3,
    "beta1": 0.5,
    "ema_decay": 0.995,
    "ema_start": 100,
    "holdout": 0.05,
    "log_every": 25,
    "classes": str(DOTS),
    "device": "cpu",
}

OTHER_COUNTS = ",".join(str(count) for count in IMAGES if count != DOTS)

DIFFERENCE: dict[str, dict[str, object]] = {
    "without": {"negative": "none"},
    "with": {"negative": "data", "negative_classes": OTHER_COUNTS, "fake_weight": 0.5},
}


def quickstart(words: list[str]) -> int:
    """Make the data, train both, count, print what was measured and write the page."""
    options = parse(words, QuickstartOptions, command="quickstart")
    for name, smallest in (("seed", 0), ("steps", 1), ("count", 2)):
        at_least(options, name, smallest)
    if options.seed >= 2**63:
        raise ConfigError(f"seed is {options.seed}; it must be below 2^63.")

    import torch

    from nda.commands.quickstart.counts import (
        as_tables,
        count_real,
        count_run,
        keep,
        show,
        verdict,
        write_figures,
    )
    from nda.commands.quickstart.parallel import train_together
    from nda.data.dots import write_dots_archive
    from nda.report.pages.compare import write_comparison
    from nda.runtime.console import console
    from nda.training.run_folder import RunFolder

    out, folder = console(), Path(options.out)
    _refuse_other(folder, options)
    out.print(
        f"Images of exactly {DOTS} dots; negatives are images of {OTHER_COUNTS} dots. The same "
        f"small GAN, without and with them: seed {options.seed}, {options.steps} steps each."
    )
    archive = folder / "dots.zip"
    if not archive.exists():
        rng = torch.Generator().manual_seed(options.seed)
        write_dots_archive(archive, IMAGES, SIZE, generator=rng)
    settings = SHARED | {"data": archive, "seed": options.seed, "steps": options.steps}
    train_together({folder / name: settings | d for name, d in DIFFERENCE.items()})

    counted = [count_run(folder / name, DOTS, options.count) for name in DIFFERENCE]
    counted.append(count_real(archive, DOTS, options.count))
    for name, generated in zip(DIFFERENCE, counted, strict=False):
        keep(folder / name, generated, counted[-1], DOTS, options.seed)
    show(out, counted)
    figures = write_figures(folder / "quickstart.json", counted, options)
    page = write_comparison(
        [RunFolder.open(folder / name) for name in DIFFERENCE],
        folder / "comparison.html",
        title="Four dots, without and with negatives",
        tables=as_tables(counted),
        verdict=verdict(counted),
    )
    out.print(f"figures: {figures}\npage:    {page}", soft_wrap=True)
    return 0


def _refuse_other(folder: Path, options: QuickstartOptions) -> None:
    """Refuse a folder whose quickstart had another seed: its data would not fit."""
    from nda.training.run_folder import RunFolder

    for name in DIFFERENCE:
        if RunFolder(folder / name).config_path.exists():
            seed = RunFolder(folder / name).config()["seed"]
            if seed != options.seed:
                raise ConfigError(
                    f"{folder} holds a quickstart of seed {seed}, not {options.seed}; give "
                    f"--seed {seed} to go on with it, or another --out."
                )
