"""Garments: cut out of their photo, set upright, their landmarks and how they are cut."""
