"""What a caption of a drawn scene claims: shared by the dataset and its evaluation."""
