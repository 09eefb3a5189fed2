"""What lies on disk between the stages: the raw table, images, TFRecords and their index."""
