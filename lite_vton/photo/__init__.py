"""Photos: read and write, crop, paste back. Knows no people and no clothes."""
