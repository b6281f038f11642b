"""Score a model, or somebody's finished pictures, and report."""
