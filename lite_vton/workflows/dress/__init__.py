"""Dress one person, or everybody of a folder in every garment of another."""
