"""Damaged files for every reader: `python -m tests.fuzz --cases 100000`, or a few seconds of the same in the tests."""
