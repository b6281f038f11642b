"""Published checkpoints to our networks: files, layouts, names, channels."""
