"""Time and memory of each backend, each in its own process, and the report."""
