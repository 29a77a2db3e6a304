"""The names of the arms and of the row over all sequences, as they are written to files."""

NO_APPEARANCE, RANDOM, APPEARANCE, ORACLE = ARMS = ("no_appearance", "random", "appearance", "oracle")

COMBINED = "combined"
"""The scores of all sequences together, beside those of each sequence."""

DIFFERENCE = "difference"
"""Beside the arms in metrics.json: the arm `appearance` minus the arm `no_appearance`."""
