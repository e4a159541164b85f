"""Several runs side by side: one HTML file that needs no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nda.errors import ConfigError
from nda.report.contents import RunContents, read_run, run_labels
from nda.report.groups import Group, differing_settings, group_by_seed
from nda.report.metrics import Block, metric_blocks
from nda.report.pages.plots import compared_log_drawings, histogram_drawings, metric_drawings
from nda.report.pages.render import render
from nda.report.pictures.embed import LARGE, SMALL, Picture, embed, shown
from nda.report.pictures.translations import compared_translations
from nda.report.verdicts import comparison_verdict
from nda.report.words import in_words
from nda.runtime.files import write_text_atomically
from nda.training.run_folder import RunFolder


@dataclass(frozen=True)
class Table:
    """A table for the top of a comparison; numbers are rounded, text is shown as it is."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str | float]]
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """Runs of one recipe side by side; `settings` are those in which they differ.

    Runs that differ by seed alone make one group. `blocks` are figures, a row for each name,
    protocol and step, with the values of every group.
    """

    runs: Sequence[RunContents]
    groups: Sequence[Group]
    settings: Sequence[tuple[str, Sequence[str]]]
    blocks: Sequence[Block]
    notes: Sequence[str]


def compare_runs(runs: Sequence[RunFolder]) -> Comparison:
    """What the folders of two or more runs tell, side by side.

    Raises:
        ConfigError: fewer than two runs, one run twice, or runs of different recipes.
        CheckpointError: a run's config.yaml cannot be read.
    """
    contents = _read([run.path for run in runs])
    groups = group_by_seed(contents)
    return Comparison(
        contents, groups, differing_settings(groups), metric_blocks(groups), _notes(contents)
    )


def write_comparison(
    runs: Sequence[RunFolder] | Comparison,
    out: Path,
    *,
    title: str | None = None,
    tables: Sequence[Table] = (),
    verdict: str | None = None,
) -> Path:
    """Write the page that sets runs side by side to `out` and give its path.

    Figures stand in one row only where name, protocol and step agree. Runs that differ by seed
    alone share a column: mean ± sample standard deviation, and the single values. The page opens
    with the sentence `verdict`, or with what the runs' own figures say.

    Raises what `compare_runs` does.
    """
    found = runs if isinstance(runs, Comparison) else compare_runs(runs)
    contents, groups, blocks = found.runs, found.groups, found.blocks
    # The runs of a group share its label, and with it a colour and a place in the legend.
    curves = [(group.label, run) for group in groups for run in group.runs]
    page = render(
        "comparison.html",
        title=title or f"Comparison of {len(contents)} {in_words(contents[0].recipe)} runs",
        verdict=verdict or comparison_verdict(groups),
        tables=tables,
        groups=groups,
        runs=contents,
        settings=found.settings,
        blocks=[block for block in blocks if not block.table],
        block_tables=_by_table(blocks),
        notes=found.notes,
        translations=_translations(groups),
        samples=_samples_side_by_side(contents),
        curves=compared_log_drawings(curves),
        metric_curves=metric_drawings(curves),
        histograms=histogram_drawings([(run.label, run) for run in contents]),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(out, page)
    return out


def _read(paths: Sequence[Path]) -> list[RunContents]:
    if len(paths) < 2:
        raise ConfigError(f"{len(paths)} run given; a comparison needs two or more run folders.")
    places = [path.resolve() for path in paths]
    for path, place in zip(paths, places, strict=True):
        if places.count(place) > 1:
            raise ConfigError(f"{path} was given more than once; name each run once.")
    labels = run_labels(paths)
    runs = [
        read_run(RunFolder.open(path), label) for path, label in zip(paths, labels, strict=True)
    ]
    for run in runs:
        if run.recipe != runs[0].recipe:
            raise ConfigError(
                f"{run.path} is a run of {run.recipe}, {runs[0].path} one of {runs[0].recipe}; "
                "compare runs of one recipe."
            )
    return runs


def _by_table(blocks: Sequence[Block]) -> dict[str, list[Block]]:
    """The metrics of each table, under its title."""
    tables: dict[str, list[Block]] = {}
    for block in blocks:
        if block.table:
            tables.setdefault(block.table, []).append(block)
    return tables


def _notes(runs: Sequence[RunContents]) -> list[str]:
    """The notes of the latest evaluations, once each, with the runs where not all."""
    where: dict[str, list[str]] = {}
    for run in runs:
        for note in run.evaluations[-1].notes if run.evaluations else ():
            where.setdefault(note, []).append(run.label)
    return [
        note if len(labels) == len(runs) else f"{note} ({', '.join(labels)})"
        for note, labels in where.items()
    ]


def _translations(groups: Sequence[Group]) -> Picture | None:
    """Rows of input, a run's output for each group, truth, at the latest step in common."""
    runs = [group.runs[0] for group in groups]
    common = set.intersection(*(set(run.samples) for run in runs))
    if not common:
        return None
    step = max(common)
    grid = compared_translations(
        [run.path / "samples" for run in runs], [run.label for run in runs], step
    )
    if grid is None:
        return None
    return shown(grid, f"The same held-out images at step {step:,}", widest=LARGE)


def _samples_side_by_side(runs: Sequence[RunContents]) -> list[Picture]:
    """At the latest step that all runs with samples share; without one, the latest of each."""
    sampled = [run for run in runs if run.samples]
    if not sampled:
        return []
    common = set.intersection(*(set(run.samples) for run in sampled))
    steps = [max(common) if common else max(run.samples) for run in sampled]
    return [
        embed(run.samples[step], f"{run.label}, step {step:,}", widest=SMALL)
        for run, step in zip(sampled, steps, strict=True)
    ]
