"""OpenVINO: write, quantise, read back, the fused form."""
