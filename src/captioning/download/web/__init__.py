"""Fetching many pictures from URLs that nobody answers for."""

import os

# A library that img2dataset imports asks a server for its newest version otherwise.
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
