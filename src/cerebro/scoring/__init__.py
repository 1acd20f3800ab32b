"""Predictions, scores, floors, baselines and ensembles."""
