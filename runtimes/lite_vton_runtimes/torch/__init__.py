"""Bundles on torch."""
