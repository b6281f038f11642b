"""The garment bent onto its wearer."""
