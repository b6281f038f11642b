"""ONNX: write, halve, quantise, read back, the fused form."""
