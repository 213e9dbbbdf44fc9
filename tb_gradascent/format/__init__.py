"""The record format, which the training process writes and the viewer reads. It has no torch."""
