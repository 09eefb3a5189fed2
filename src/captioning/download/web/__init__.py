"""Fetching many images from arbitrary URLs of the web, safely and with img2dataset."""

import os

# Otherwise albumentations, which img2dataset imports, asks a server for its newest version.
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
