"""Parallelism, applied to a plain model from outside: one file per strategy, named in spec/catalog.py."""
