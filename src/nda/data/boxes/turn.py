"""Boxes turned with a photograph whose EXIF orientation is not 1."""

from __future__ import annotations

Box = tuple[float, float, float, float]


def turned(box: Box, orientation: int, size: tuple[int, int]) -> Box:
    """The box (left, top, right, bottom) of a stored image, where it is once that is upright.

    `orientation` is EXIF's, 1 to 8, and `size` the width and height as stored; edges are counted
    from 0.
    """
    left, top, right, bottom = box
    if orientation in (2, 3, 7, 8):  # the right edge comes to the left or to the top
        left, right = size[0] - right, size[0] - left
    if orientation in (3, 4, 6, 7):  # the lower edge comes to the top or to the left
        top, bottom = size[1] - bottom, size[1] - top
    if orientation >= 5:  # rows become columns
        return top, left, bottom, right
    return left, top, right, bottom
