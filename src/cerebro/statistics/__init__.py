"""Metrics, bootstrap, paired comparisons and penalised regressions."""
