"""The parts of `python -m benchmarks`; each gives rows for one file of figures."""
