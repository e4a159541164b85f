"""The errors a user can cause. Each message names the value, what was expected and the remedy.

The command line prints such a message as one sentence and exits with code 2; everything else is
a fault of ours and keeps its traceback.
"""


class UserError(ValueError):
    """A mistake in what the user gave; the message alone is enough to mend it.

    Examples:
        >>> try:
        ...     nda.Jigsaw(grid=1)
        ... except nda.UserError as error:  # of torch's and of one's own mistakes it catches none
        ...     print(type(error).__name__)
        ConfigError
    """


class DataError(UserError):
    """An image, folder, archive or data set that cannot be used as it is."""


class LargeBatchError(DataError):
    """A batch of more samples than there are, for a `reason`; one of `fits` would do."""

    def __init__(self, reason: str, fits: int) -> None:
        super().__init__(f"{reason}: give --batch_size {fits} or less, or more data.")
        self.reason, self.fits = reason, fits


class ConfigError(UserError):
    """A setting that is unknown, of the wrong type or out of its range."""


class ShapeError(UserError):
    """A tensor whose shape or type a function cannot work on."""


class CheckpointError(UserError):
    """A checkpoint or run folder that is damaged, unsafe or belongs to something else."""


class DeviceError(UserError):
    """A device that was asked for and is not there."""


class TrainingError(UserError):
    """A run that cannot go on, such as one whose loss is no longer finite."""
