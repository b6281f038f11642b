"""The libraries under us: whether they are installed, and what they may print and report."""
