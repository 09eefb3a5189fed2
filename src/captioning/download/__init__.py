"""Stage `download`: fetch or draw the chosen dataset and write it as the raw table."""
