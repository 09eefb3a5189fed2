"""Image captioning as a DVC pipeline: datasets, records, model, decoding, scoring."""
