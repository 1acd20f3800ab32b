"""Linear probes on frozen features, and what stands beside them."""
