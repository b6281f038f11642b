"""The one training loop: steps, checkpoint, log, several processes."""
