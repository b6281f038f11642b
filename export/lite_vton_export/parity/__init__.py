"""The golden trajectory, and how close an answer comes to it: figures, gates, regressions."""
