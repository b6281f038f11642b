"""Two photos to the network's inputs, and the result back into the photo."""
