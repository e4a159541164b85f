"""The report of a run: one HTML file that needs no other."""

from __future__ import annotations

from pathlib import Path

from nda.report import words as wording
from nda.report.contents import RunContents, read_run
from nda.report.pages.plots import histogram_drawings, log_drawings, metric_drawings
from nda.report.pages.render import render
from nda.report.pictures.embed import LARGE, SMALL, Picture, embed, evenly_spaced
from nda.report.tables import alone, metric_tables
from nda.report.verdicts import headline, run_verdict
from nda.runtime.files import write_text_atomically
from nda.training.run_folder import RunFolder

MOST_SAMPLES = 5  # pictures of samples over time
OF_ENCODERS = {  # pictures that a run of an encoder has, in the order of the page
    "views.png": "Images, the two views that are to be alike, and the negatives made for them",
    "features.png": "Held-out images as the encoder sees them: principal components of features",
    "neighbours.png": "Held-out images, each with the training images nearest to it in features",
}


def write_report(run: RunFolder) -> Path:
    """Write report.html of a run and give its path; parts the run has not are named as missing.

    Raises:
        CheckpointError: config.yaml cannot be read.
    """
    contents = read_run(run, run.path.resolve().name)
    earlier, latest = _samples_over_time(contents)
    evaluation = contents.evaluations[-1] if contents.evaluations else None
    judged = headline(evaluation.metrics) if evaluation else None
    page = render(
        "report.html",
        title=wording.run_title(contents.settings),
        run=contents,
        verdict=run_verdict(evaluation),
        summary=_summary(contents),
        tables_first=bool(judged and judged.table),
        evaluation=evaluation,
        metrics=alone(evaluation.metrics) if evaluation else [],
        tables=metric_tables(evaluation.metrics if evaluation else []),
        earlier=earlier,
        latest=latest,
        negatives=_negatives(run),
        nearest=_nearest(run),
        encoder=_of_encoder(run),
        curves=log_drawings(contents),
        metric_curves=metric_drawings([("", contents)]),
        histograms=histogram_drawings([("", contents)]),
    )
    path = run.path / "report.html"
    write_text_atomically(path, page)
    return path


def _summary(run: RunContents) -> str:
    """How far the run came and on what, to follow its name in a sentence."""
    told = run.progress
    if not told:
        return "has no log: how far it came is not known."
    text = f"has trained for {told['steps']} {'step' if told['steps'] == '1' else 'steps'}"
    if "images seen" in told:
        text += f" and seen {told['images seen']} {run.samples_are}"
    if "training time" in told:
        text += f" in {told['training time']}"
    if "images/s" in told:
        text += f" ({told['images/s']} {run.samples_are}/s)"
    on = [
        f"{name} {wording.setting(run.settings[name])}"
        for name in ("device", "precision", "seed")
        if name in run.settings
    ]
    return f"{text}; {', '.join(on)}." if on else f"{text}."


def _samples_over_time(run: RunContents) -> tuple[list[Picture], Picture | None]:
    """The earlier samples, small, and the latest."""
    if not run.samples:
        return [], None
    *earlier, last = evenly_spaced(list(run.samples), MOST_SAMPLES)
    return (
        [embed(run.samples[step], f"step {step:,}", widest=SMALL) for step in earlier],
        embed(run.samples[last], f"step {last:,}", widest=LARGE),
    )


def _nearest(run: RunFolder) -> Picture | None:
    path = run.samples / "nearest.png"
    caption = "Generated samples, each with the training images nearest to it in pixels"
    return embed(path, caption, widest=SMALL) if path.is_file() else None


def _of_encoder(run: RunFolder) -> list[Picture]:
    found = {run.samples / name: caption for name, caption in OF_ENCODERS.items()}
    return [embed(path, text, widest=LARGE) for path, text in found.items() if path.is_file()]


def _negatives(run: RunFolder) -> Picture | None:
    path = run.samples / "negatives.png"
    caption = "Real samples and the negatives made for them"
    return embed(path, caption, widest=LARGE) if path.is_file() else None
