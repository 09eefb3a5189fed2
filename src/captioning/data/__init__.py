"""Data on disk between the stages: the raw table with its images, and TFRecord shards."""
