"""What is refused of settings before anything heavy is imported; outputs are made ready too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nda.api.places import (
    ready_outputs,
    refuse_absent,
    refuse_missing,
    refuse_no_model,
    refuse_no_run,
)
from nda.api.score.place import ready_places
from nda.api.settings import MIN_IMAGES
from nda.bit_depths import check_bit_depth
from nda.errors import ConfigError
from nda.extras import refuse_not_installed
from nda.runtime.workers.ray_cluster import refuse_address
from nda.validators import at_least

if TYPE_CHECKING:
    from nda.api.settings import (
        CheckOptions,
        EvaluateOptions,
        PreviewOptions,
        ProbeOptions,
        ScoreOptions,
    )


def refuse_check(options: CheckOptions, *, given: bool = False) -> None:
    """Of a check; with `given` its images are at hand, and no path."""
    for name, smallest in (("count", MIN_IMAGES), ("steps", 1), ("seeds", 1), ("seed", 0)):
        at_least(options, name, smallest)
    refuse_endings(options, out=".html", json=".json")
    if not given:
        refuse_missing(options, "images")
    ready_outputs(options, "out", "json")


def refuse_probe(options: ProbeOptions, *, given: bool = False, own: bool = False) -> None:
    """Of a probe; with `given` its images are at hand, with `own` its model, and no paths."""
    at_least(options, "count", 4)
    at_least(options, "seed", 0)
    check_bit_depth(options.bit_depth)
    refuse_endings(options, out=".html", json=".json")
    if not own:
        refuse_no_model(options.model)
    if not given:
        refuse_absent(options.images)
    ready_outputs(options, "out", "json")


def refuse_score(options: ScoreOptions, *, given: bool = False) -> None:
    """Of a scoring; with `given` its images are at hand, and no path."""
    at_least(options, "batch_size", 1)
    refuse_spread(options, given=given)
    if options.overwrite and options.resume:
        raise ConfigError("--overwrite begins anew and --resume goes on; give one of them.")
    check_bit_depth(options.bit_depth)
    refuse_several(options.false_alarm_rate, options.threshold, options.false_discovery_rate)
    refuse_endings(options, out=".csv", html=".html")
    if options.normal is not None and not all(map(str.strip, options.normal.split(","))):
        raise ConfigError(
            f"--normal {options.normal!r} leaves a name empty; give the names of folders of normal "
            "images, such as good, separated by commas, or leave it out."
        )
    refuse_no_run(options.run, or_file=True)
    if options.images != "-" and not given:
        refuse_absent(options.images)
    ready_places(options)


def refuse_spread(options: ScoreOptions, *, given: bool = False) -> None:
    """Of the processes that score; images that are `given` stay in this one."""
    if options.workers is not None:
        at_least(options, "workers", 1)
    for name in ("workers", "ray"):
        if given and getattr(options, name) is not None:
            raise ConfigError(
                f"{name} is {getattr(options, name)!r}: images at hand are scored in this process; "
                "give the path of a folder or .zip of them, or leave it out."
            )
    if options.ray is not None:
        refuse_address(options.ray)
        for module in ("ray", "pyarrow"):  # which ray[data] brings
            refuse_not_installed(module, f"--ray {options.ray} needs Ray Data", "ray")


def refuse_several(*limits: float | None) -> None:
    """Refuse more than one of what says which images are flagged."""
    if sum(each is not None for each in limits) > 1:
        raise ConfigError(
            "--false_alarm_rate, --threshold and --false_discovery_rate each say what is flagged; "
            "give one of them."
        )


def refuse_preview(options: PreviewOptions, *, given: bool = False) -> None:
    """Of a preview; with `given` its images are at hand, and no path."""
    at_least(options, "seed", 0)
    check_bit_depth(options.bit_depth)
    if options.count < 2:
        raise ConfigError(f"count is {options.count}; stitch and mixup need at least 2 images.")
    if options.out and not options.out.endswith(".png"):
        raise ConfigError(f"--out {options.out} must end in .png; the picture is a PNG file.")
    if not given:
        refuse_missing(options, "images")
    if options.texture:
        refuse_absent(options.texture, "--texture: ")
    ready_outputs(options, source="" if given else options.images)


def refuse_evaluate(options: EvaluateOptions) -> None:
    """Of the evaluation of a run."""
    refuse_no_run(options.run)
    for named in options.ood:
        name, _, path = (part.strip() for part in named.partition("="))
        if path:
            refuse_absent(path, f"--ood {name}: ")
    if options.corruptions not in (None, "made"):
        refuse_absent(str(options.corruptions))


def refuse_endings(options: object, **endings: str) -> None:
    """Refuse (`ConfigError`) names of files that do not end as they should; "" and None pass."""
    for name, ending in endings.items():
        path = getattr(options, name)
        if path and not path.endswith(ending):
            raise ConfigError(f"--{name} {path} must end in {ending}.")
