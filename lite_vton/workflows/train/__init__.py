"""Train, distill, and teach few steps: which pairs, which autoencoder, which folder."""
