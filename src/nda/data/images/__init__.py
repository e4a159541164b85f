"""Images of a folder, a zip or torchvision as one uint8 tensor, or as a stream."""

from nda.data.images.image_set import ImageSet as ImageSet
from nda.data.images.image_set import to_float as to_float
from nda.data.images.image_set import to_uint8 as to_uint8
from nda.data.images.load import Splits as Splits
from nda.data.images.load import load_images as load_images
from nda.data.images.load import load_splits as load_splits
