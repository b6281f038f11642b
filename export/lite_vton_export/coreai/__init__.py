"""Core AI: write, read back, the fused form."""
