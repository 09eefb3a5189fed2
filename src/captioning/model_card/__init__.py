"""Model cards: what a trained captioner is, for people and for model hubs."""
