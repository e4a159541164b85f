"""A detector read from a run or a file, without the data it was trained on."""

from __future__ import annotations

from pathlib import Path

from nda.errors import CheckpointError
from nda.evaluation.outliers.detector import Detector, load_detector
from nda.recipes.anomaly.config import AnomalyConfig
from nda.runtime.notes import tell
from nda.training.checkpoint import newest_checkpoint
from nda.training.run_folder import RunFolder


def open_detector(path: str) -> Detector:
    """The detector of a run folder, or in a file; warns of a run that has been trained further.

    Raises `CheckpointError` where there is none.
    """
    if Path(path).is_file():
        return load_detector(Path(path))
    folder = RunFolder.open(path)
    recipe = folder.config()["recipe"]
    if recipe != AnomalyConfig.recipe:
        raise CheckpointError(
            f"{path} is a run of {recipe}, and images are scored by a run of anomaly, videos by "
            "one of dpc; train one with 'nda train anomaly --data NORMAL_IMAGES --out RUN'."
        )
    if not folder.detector_path.is_file():
        raise CheckpointError(
            f"{path} has not been calibrated yet. Finish it with 'nda resume {path}', or calibrate "
            f"it as it stands with 'nda evaluate {path}'."
        )
    detector = load_detector(folder.detector_path)
    newest = newest_checkpoint(folder.checkpoints)
    if newest is not None and newest.stem != f"step-{detector.settings.step:08d}":
        tell(
            f"{path} was calibrated at step {detector.settings.step} and has been trained "
            f"further since; 'nda evaluate {path}' calibrates it anew."
        )
    return detector
