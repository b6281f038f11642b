"""Datasets in the layout of VITON-HD: one reader, and what writes it."""
