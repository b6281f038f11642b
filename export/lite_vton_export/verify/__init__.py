"""Hold a bundle's artifacts against its golden trajectory, and report."""
