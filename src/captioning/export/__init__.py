"""Export a trained captioner as a TensorFlow SavedModel that needs nothing of this project.

Everything that the project does to a picture in Python, from decoding its bytes to joining the
words of its caption, is done here by operations of TensorFlow's graph.
"""
