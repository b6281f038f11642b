"""A whole try-on as one graph: its tensors, its parts, its torch module."""
