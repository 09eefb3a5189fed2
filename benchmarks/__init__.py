"""`make bench`: this project beside the tutorial's way, part by part, in one run."""
