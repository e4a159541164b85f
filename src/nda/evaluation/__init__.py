"""Evaluation: figures that carry their protocol."""
