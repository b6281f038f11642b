"""TensorRT: write engines, read them back, keep them in a cache, the fused form."""
