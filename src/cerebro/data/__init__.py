"""Torch datasets, samplers and Lightning data modules over the window index."""
