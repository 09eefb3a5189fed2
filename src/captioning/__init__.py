"""Image captioning as a DVC pipeline: datasets, records, model, decoding, scoring."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("captioning")
except PackageNotFoundError:  # Imported from a folder without being installed.
    __version__ = "unknown"
