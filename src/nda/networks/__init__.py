"""Networks of the published recipes, in plain PyTorch."""
