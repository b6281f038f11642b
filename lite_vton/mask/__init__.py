"""Which pixels of a person are repainted, and which are kept."""
