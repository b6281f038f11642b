"""Pairs as tensors: pictures, latents, shards on disk."""
