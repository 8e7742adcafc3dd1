"""Tests that fork training ranks from the process that runs them. They come first (testpaths in pyproject.toml).

That process must only have imported torch: where it had computed a convolution before, forked ranks with several
threads were seen to crash in 11 of 50 runs, and in none of 75 otherwise. So tests here compute in forked ranks only.
"""
