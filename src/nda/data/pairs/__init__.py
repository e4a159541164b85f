"""Photographs and label images, or other pictures, that show the same."""

from nda.data.pairs.load import PairSplits as PairSplits
from nda.data.pairs.load import load_pairs as load_pairs
