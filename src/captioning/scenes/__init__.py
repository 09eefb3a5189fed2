"""The language of captions of drawn scenes, shared by the dataset and its evaluation."""
