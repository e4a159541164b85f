"""The colours in which two sets of street scenes are usually shown.

A row: number in index images, class, red, green, blue.
"""

from __future__ import annotations

# SegNet's eleven classes of CamVid (Badrinarayanan et al., 2017) and the pixels without one.
CAMVID = (
    (0, "Sky", 128, 128, 128),
    (1, "Building", 128, 0, 0),
    (2, "Pole", 192, 192, 128),
    (3, "Road", 128, 64, 128),
    (4, "Pavement", 60, 40, 222),
    (5, "Tree", 128, 128, 0),
    (6, "SignSymbol", 192, 128, 128),
    (7, "Fence", 64, 64, 128),
    (8, "Car", 64, 0, 128),
    (9, "Pedestrian", 64, 64, 0),
    (10, "Bicyclist", 0, 128, 192),
    (11, "Unlabelled", 0, 0, 0),
)

# The nineteen classes that Cityscapes evaluates (Cordts et al., 2016), numbered as in the files
# *_gtFine_labelIds.png; everything else that is annotated there counts as unlabelled.
CITYSCAPES = (
    (7, "road", 128, 64, 128),
    (8, "sidewalk", 244, 35, 232),
    (11, "building", 70, 70, 70),
    (12, "wall", 102, 102, 156),
    (13, "fence", 190, 153, 153),
    (17, "pole", 153, 153, 153),
    (19, "traffic light", 250, 170, 30),
    (20, "traffic sign", 220, 220, 0),
    (21, "vegetation", 107, 142, 35),
    (22, "terrain", 152, 251, 152),
    (23, "sky", 70, 130, 180),
    (24, "person", 220, 20, 60),
    (25, "rider", 255, 0, 0),
    (26, "car", 0, 0, 142),
    (27, "truck", 0, 0, 70),
    (28, "bus", 0, 60, 100),
    (31, "train", 0, 80, 100),
    (32, "motorcycle", 0, 0, 230),
    (33, "bicycle", 119, 11, 32),
    (0, "unlabelled", 0, 0, 0),
    (1, "unlabelled", 0, 0, 0),  # ego vehicle
    (2, "unlabelled", 0, 0, 0),  # rectification border
    (3, "unlabelled", 0, 0, 0),  # out of region of interest
    (4, "unlabelled", 0, 0, 0),  # static
    (5, "unlabelled", 111, 74, 0),  # dynamic
    (6, "unlabelled", 81, 0, 81),  # ground
    (9, "unlabelled", 250, 170, 160),  # parking
    (10, "unlabelled", 230, 150, 140),  # rail track
    (14, "unlabelled", 180, 165, 180),  # guard rail
    (15, "unlabelled", 150, 100, 100),  # bridge
    (16, "unlabelled", 150, 120, 90),  # tunnel
    (18, "unlabelled", 0, 0, 0),  # pole group, whose colour is that of poles
    (29, "unlabelled", 0, 0, 90),  # caravan
    (30, "unlabelled", 0, 0, 110),  # trailer
    (255, "unlabelled", 0, 0, 0),  # licence plate, whose colour is that of cars
)
