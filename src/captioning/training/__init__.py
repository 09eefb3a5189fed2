"""Stage `train`: batches, losses, optimizer, the training loop and its reports."""
