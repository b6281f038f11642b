"""Drawn people in drawn garments: what the synthetic dataset is made of. Coordinates are units of a 192 × 256 frame."""
