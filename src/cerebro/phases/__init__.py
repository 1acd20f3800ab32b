"""The trainings: one module per kind of phase, and the loop they share."""
