"""Stage `evaluate`: captions of a split, their metrics, and attention maps."""
