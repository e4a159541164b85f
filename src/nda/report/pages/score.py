"""The page of `nda score`: the most anomalous images first, each beside its heat; or videos."""

from __future__ import annotations

import base64
import heapq
import io
import os
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import torch
from markupsafe import Markup
from PIL import Image
from torch import Tensor

from nda.data.reading.normal_folders import NormalFolders
from nda.evaluation.outliers.conformal import conformal_threshold
from nda.evaluation.outliers.detector import LEARNED, Detector
from nda.evaluation.outliers.metrics import score_histogram
from nda.report.pictures.heat import HOT, MILD
from nda.report.scored import VERDICTS, Scored, for_page, heated, picture_of
from nda.report.telling import Telling, telling
from nda.report.thresholds import rank_of, threshold_steps
from nda.report.words import number
from nda.runtime.files import write_text_atomically
from nda.validators import counted

if TYPE_CHECKING:
    from nda.report.pages.plots import Drawing

UNKNOWN = -1
MOST = 200  # images with pictures on a page, and unreadable files named


@dataclass(frozen=True)
class Judged:
    """What scores are judged by, and what the page says of them.

    `calibration` (n,) are scores of normal images by what does not know them.
    """

    calibration: Tensor
    rate: float  # of false alarms
    how: str  # a sentence or two on how they come about
    title: str = "Anomaly scores"
    axis: str = "outlier score"
    of: str = "image"  # what is scored
    normal: str = "normal images"  # what it is compared with
    heat: bool = True
    notes: Sequence[str] = ()  # what the reader has to know before
    kept: str = "that were kept from training"  # what the calibration's images are
    flagged_by: str = ""  # a sentence, where it is not the rate


def judged_by(detector: Detector, rate: float, flagged_by: str = "") -> Judged:
    """Images by a detector; `rate` is that of the heat, and of verdicts where nothing else is."""
    about = detector.settings
    fitted_to = "normal image" if about.tiling is None else "tile"
    learned = (
        f"Trained for {counted(about.step, 'step')} against the negatives {about.negative}"
        if about.method == LEARNED
        else f"Fitted by the method {about.method} to {counted(about.kept, fitted_to)} in the "
        f"features of {about.backbone}"
    )
    if about.templates:
        learned += f", less those of the nearest of {counted(about.templates, 'template')}"
    size = f"{number(about.resolution)} × {number(about.resolution)}"
    how = f"{learned}; images are scored at {size} pixels ({about.fit})."
    if about.tiling is not None:
        how = (
            f"{learned}; images of {number(about.image_width)} × {number(about.image_height)} "
            f"pixels are scored in {number(len(about.tiling.corners))} tiles of {size}, the "
            "highest of which is shown beside the whole image under its heat."
        )
    kept = "of training, each by what the others say" if about.groups else Judged.kept
    return Judged(detector.calibration, rate, how, kept=kept, flagged_by=flagged_by)


@dataclass(frozen=True)
class Card:
    """An image on the page, or a video by a frame of it."""

    file: str
    score: float
    p_value: float
    verdict: str
    image: str  # data URIs
    heat: str  # empty where there is none
    rank: int  # of its p-value: flagged where a threshold has this rank or a higher one
    original: str  # its address as seen from the page, empty where it is no file of its own
    place: str = ""  # of the highest score in a large image


class ScoredImages:
    """What the page and the summary need of any number of images, in little memory.

    Counts and scores of all, the `MOST` highest with their pictures, the first broken files. With
    the folders of `normal` images also what every image is.
    """

    def __init__(self, *, keep_pictures: bool, normal: NormalFolders | None = None) -> None:
        self.counts = dict.fromkeys(VERDICTS, 0)
        self.scores = array("d")
        self.normal = normal
        self.labels = array("b")  # 1 where an image is anomalous, 0 where normal, else UNKNOWN
        self.broken: list[tuple[str, str]] = []
        self.keep_pictures = keep_pictures
        self._highest: list[tuple[float, int, Scored]] = []

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def add(self, scored: Scored) -> None:
        self.counts[scored.verdict] += 1
        if scored.score is None:
            if len(self.broken) < MOST:
                self.broken.append((scored.file, scored.reason))
            return
        if self.keep_pictures or self.normal:
            self.scores.append(scored.score)
        if self.normal:
            label = self.normal.is_anomalous(scored.file)
            self.labels.append(UNKNOWN if label is None else label)
        if self.keep_pictures:
            # Of equal scores the earlier file stands first.
            entry = (scored.score, -self.total, scored)
            if len(self._highest) < MOST:
                heapq.heappush(self._highest, _alone(entry))
            elif entry[:2] > self._highest[0][:2]:
                heapq.heapreplace(self._highest, _alone(entry))

    def settle(self, settled: Callable[[Scored], Scored], flagged: int) -> None:
        """Take verdicts that depend on all images; so many of them are flagged."""
        read = self.total - self.counts["broken"]
        self.counts |= {"anomalous": flagged, "normal": read - flagged}
        self._highest = [(score, order, settled(each)) for score, order, each in self._highest]

    def highest(self) -> list[Scored]:
        """Those with pictures, from the highest score down."""
        return [scored for *_, scored in self._in_order() if scored.pixels is not None]

    def without_pictures(self) -> list[str]:
        """The names of those among the highest that come from a table that was kept."""
        return [scored.file for *_, scored in self._in_order() if scored.pixels is None]

    def add_picture(self, found: Scored) -> None:
        """Show one of `without_pictures`."""
        found = for_page(found)
        shown = {"pixels": found.pixels, "heat": found.heat, "closeup": found.closeup}
        self._highest = [
            (score, order, replace(each, **shown) if each.file == found.file else each)  # type: ignore[arg-type]
            for score, order, each in self._highest
        ]

    def telling(self) -> Telling | None:
        """How the scores tell anomalous images from normal ones, where both are known."""
        if self.normal is None:
            return None
        scores, labels = (torch.tensor(each) for each in (self.scores, self.labels))
        return telling(scores, labels, self.counts["anomalous"], self.normal.sentence)

    def _in_order(self) -> list[tuple[float, int, Scored]]:
        return sorted(self._highest, key=lambda entry: entry[:2], reverse=True)


def _alone(entry: tuple[float, int, Scored]) -> tuple[float, int, Scored]:
    """The entry with copies of its tensors, which would keep the whole batch in memory."""
    score, order, scored = entry
    heat = None if scored.heat is None else scored.heat.clone()
    pixels = None if scored.pixels is None else scored.pixels.clone()
    closeup = None if scored.closeup is None else scored.closeup.clone()
    alone = replace(scored, pixels=pixels, heat=heat, closeup=closeup)
    return score, order, for_page(alone)


def write_score_page(
    path: Path, seen: ScoredImages, judged: Judged, *, source: str, table: str | None = None
) -> None:
    """Write the page: one HTML file that needs no other.

    It links to the `table` of scores and to the images below the folder `source`, where they are.
    """
    from nda.report.pages.render import render  # with Jinja: most scorings write no page

    name = "listed images" if source == "-" else Path(source).resolve().name
    told = seen.telling()
    steps, step = threshold_steps(
        judged.calibration,
        torch.tensor(seen.scores),
        judged.rate,
        flagged=seen.counts["anomalous"],
        of=judged.of,
        told=told,
    )
    page = render(
        "score.html",
        title=f"{judged.title} of {name}",
        seen=seen,
        cards=[
            card(scored, judged, original(scored.file, source, path)) for scored in seen.highest()
        ],
        most=MOST,
        judged=judged,
        steps=[] if judged.flagged_by else steps,  # verdicts of other kinds follow no rate
        step=step,
        table=address(Path(table), path) if table else "",
        threshold=conformal_threshold(judged.calibration, judged.rate, of=f"{judged.of}s"),
        cold=min(1.0, 10 * judged.rate),  # where the heat begins
        mild="#{:02x}{:02x}{:02x}".format(*MILD),
        hot="#{:02x}{:02x}{:02x}".format(*HOT),
        histogram=histogram(seen, judged, told),
        told=told,
        tradeoffs=tradeoff_drawings(told) if told else [],
    )
    write_text_atomically(path, page)


def original(file: str, source: str, page: Path) -> str:
    """The address of a scored file as seen from the page; empty for one inside a .zip."""
    for path in (Path(source, file), Path(source)) if source != "-" else (Path(file),):
        if path.is_file() and path.name == Path(file).name:
            return address(path, page)
    return ""


def address(path: Path, page: Path) -> str:
    """A file as a link of the page: relative, so that both may move together."""
    try:
        return quote(Path(os.path.relpath(path, page.parent)).as_posix())
    except ValueError:  # on another drive
        return path.resolve().as_uri()


def card(scored: Scored, judged: Judged, original: str) -> Card:
    """The pictures and figures of one image."""
    scored = for_page(scored)
    assert scored.score is not None
    assert scored.p_value is not None
    return Card(
        scored.file,
        scored.score,
        scored.p_value,
        scored.verdict,
        _uri(picture_of(scored.pixels if scored.closeup is None else scored.closeup)),
        "" if scored.heat is None else _uri(heated(scored)),
        rank_of(scored.p_value, len(judged.calibration)),
        original,
        "" if scored.place is None else "at {:,}, {:,}".format(*scored.place),
    )


def tradeoff_drawings(told: Telling) -> list[Drawing]:
    """The ROC and precision-recall curves, with a dot where the threshold lies."""
    from nda.report.pages.plots import Drawing
    from nda.report.plots.svg import inline
    from nda.report.plots.tradeoff import precision_recall_figure, roc_figure

    chance = number(told.measures.base_rate)
    return [
        Drawing(
            f"ROC: {told.auroc}",
            "Dashed: guessing. The dot is the threshold.",
            Markup(inline(roc_figure(told.tradeoff, told.flagged))),
        ),
        Drawing(
            f"Precision and recall: {told.average_precision}",
            f"Dashed: guessing, which has a precision of {chance}. The dot is the threshold.",
            Markup(inline(precision_recall_figure(told.tradeoff, told.flagged))),
        ),
    ]


def histogram(seen: ScoredImages, judged: Judged, told: Telling | None) -> Markup:
    """Scores of these images over those of the normal images calibrated on."""
    from nda.report.plots.curves import histogram_figure
    from nda.report.plots.svg import inline

    if not seen.scores:
        return Markup("")
    series = {
        "normal, calibrated on": judged.calibration.cpu(),
        **(told.series if told else {f"these {judged.of}s": torch.tensor(seen.scores)}),
    }
    drawn = score_histogram("scores", "Scores", judged.axis, series, {})
    return Markup(inline(histogram_figure([("", drawn)])))


def _uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
