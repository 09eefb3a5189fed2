"""Stage `download`: datasets, where their files come from, and the raw table they become."""
