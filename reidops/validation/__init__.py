"""The checks of raw sequences and crops before training."""

import os

# great_expectations reads it when it is imported.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
