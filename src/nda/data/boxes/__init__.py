"""Images with boxes around their objects."""

from nda.data.boxes.load import BoxSplits as BoxSplits
from nda.data.boxes.load import load_boxes as load_boxes
