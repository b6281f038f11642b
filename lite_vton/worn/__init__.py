"""Garments that somebody wears in their photo: detected, measured, laid flat."""
