"""Runs a bundle: one sampler for every backend, and one file a backend."""
