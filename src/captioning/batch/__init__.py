"""Caption any number of pictures: list them, read them, run the model, write and resume."""
