"""`make bench`: this project compared with the tutorial's code; further measurements."""
