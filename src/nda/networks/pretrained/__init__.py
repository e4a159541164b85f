"""Backbones with published weights, and what is fitted at once to their features."""
