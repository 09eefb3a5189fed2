"""Stage `train`: batches, loss, optimizer, the training loop and its reports."""
