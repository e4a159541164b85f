"""Which images or videos are anomalous: `nda score`, from Python."""

from __future__ import annotations

from typing import Any

from nda.api.media import is_run_of_videos
from nda.api.options import options_on, settings_shown
from nda.api.refusals import refuse_score
from nda.api.score.images import score_images
from nda.api.score.result import Rows, Scores
from nda.api.settings import ScoreOptions
from nda.errors import DataError
from nda.report.scored import Scored
from nda.runtime.files import StrPath
from nda.runtime.notes import overheard


@settings_shown(ScoreOptions, without="fail_on_anomaly", out=None)
def score(run: StrPath, images: Any, **settings: Any) -> Scores:
    """Score images with a run of anomaly, or videos with one of dpc.

    Args:
        run: folder of the run, or a detector file that nda exported
        images: folder or .zip of images, one image, or of videos for a run of dpc; or images at
            hand: a tensor uint8 (N, 3, H, W), arrays, pictures of Pillow or a data set of them
        settings: those of `nda score`; nothing is written unless `out`, `html` or `heatmaps` is
            given

    Returns:
        Scores, p-values from 0 to 1 and flags, (N,) each, in the order of the images. Images of any
        size are brought to that of the training, as from the command line.

    Raises:
        UserError: settings out of range, a rate that the calibration cannot promise, and runs and
            images that cannot be used.

    Examples:
        >>> settings = dict(resolution=32, steps=2, device="cpu", false_alarm_rate=0.2)
        >>> run = nda.train("anomaly", data="photos/", out="runs/photos", **settings)
        >>> found = nda.score("runs/photos", "photos/", out="scores.csv")
        >>> found.flags.shape
        torch.Size([240])
    """
    options, at_hand = options_on(ScoreOptions, images, settings, run=run)
    if options.images == "-":
        raise DataError("From Python nothing is read on standard input; give a list of pictures.")
    refuse_score(options, given=at_hand is not None)
    rows = Rows()

    def each(scored: Scored) -> None:
        rows.add(scored.file, scored.score, scored.p_value, scored.reason, scored.place)

    with overheard() as remarks:
        if not is_run_of_videos(options.run):
            found = score_images(options, at_hand=at_hand, each=each)
        elif at_hand is not None:
            raise DataError(f"{options.run} takes videos; give the path of a folder of them.")
        else:
            from nda.api.score.videos import score_videos  # takes seconds to import

            found = score_videos(options, each=each)
    return rows.scores(found.rate, None, [*remarks, *found.notes, *found.remarks], found.limit)
