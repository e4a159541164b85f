"""Data: images of a folder, a zip or torchvision as one uint8 tensor, and the order to see them."""

from nda.data.batches import EpochBatches
from nda.data.dots import draw_dots
from nda.data.images.image_set import ImageSet, to_float, to_uint8
from nda.data.images.load import Splits, load_images, load_splits

__all__ = [
    "EpochBatches",
    "ImageSet",
    "Splits",
    "draw_dots",
    "load_images",
    "load_splits",
    "to_float",
    "to_uint8",
]
