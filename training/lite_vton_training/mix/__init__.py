"""Photographs as training pairs: each photo gives many, of which no two lead to their truth the same way."""
