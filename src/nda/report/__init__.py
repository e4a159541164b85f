"""Reports: grids of images, figures, and one self-contained page a run or a comparison."""
