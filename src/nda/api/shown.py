"""The negatives that are shown and checked where none is named, free of torch."""

# The negatives of global structure, with controls; and that of the anomaly recipe, which is local.
STRUCTURAL = (
    "jigsaw", "stitch", "cutout", "cutmix", "mixup", "horizontal_flip", "random_crop",
    "gaussian_noise",
)  # fmt: skip

PREVIEWED = (*STRUCTURAL, "blemish")

# The same; what is cut hard is beside its softened twin, which tells whether its seam is all.
CHECKED = (
    "jigsaw", "jigsaw:seam=feather", "stitch", "stitch:seam=feather", "cutout", "cutmix",
    "cutmix:seam=feather", "mixup", "horizontal_flip", "random_crop", "gaussian_noise", "blemish",
)  # fmt: skip
