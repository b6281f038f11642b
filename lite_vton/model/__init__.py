"""Torch modules: the autoencoder and the U-Net, and the table of what gets exported."""
