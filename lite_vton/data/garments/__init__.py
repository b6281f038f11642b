"""Photos of garments, lying or hanging before anything, made the cloth side of a VITON-HD folder."""
