"""Bundles on ONNX Runtime and its execution providers."""
