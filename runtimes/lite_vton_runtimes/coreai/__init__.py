"""Bundles on Core AI."""
