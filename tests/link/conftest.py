"""Tests over a network link of a known rate. Ranks are forked, so they follow the rule of tests/train/conftest.py."""
