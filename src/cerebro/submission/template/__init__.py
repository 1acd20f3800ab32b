"""What a submission's zip holds besides the models: written for the scorer's Python, not for this package."""
