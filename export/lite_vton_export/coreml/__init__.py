"""Core ML: write, precision, compression, read back; `evaluator` runs a saved program where no Mac is."""
