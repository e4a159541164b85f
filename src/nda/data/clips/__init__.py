"""Videos, files or folders of frames, as clips of uint8 frames."""

from nda.data.clips.load import ClipSplits as ClipSplits
from nda.data.clips.load import load_clip_splits as load_clip_splits
from nda.data.clips.load import load_clips as load_clips
