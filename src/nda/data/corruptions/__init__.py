"""The 19 corruptions of CIFAR-10-C, made anew or read from the original files.

Hendrycks and Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations, ICLR 2019. The constants are those of their script for CIFAR (`make_cifar_c.py`), not
the much stronger ones of ImageNet-C.
"""

from nda.data.corruptions.original import load_corrupted, load_labels
from nda.data.corruptions.table import CORRUPTIONS, SEVERITIES, corrupt

__all__ = ["CORRUPTIONS", "SEVERITIES", "corrupt", "load_corrupted", "load_labels"]
