"""Training: run folders, checkpoints, and the loop around a recipe."""
