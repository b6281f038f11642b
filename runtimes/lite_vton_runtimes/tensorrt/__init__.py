"""Bundles on TensorRT and TensorRT-RTX."""
