"""The record format: the one contract between the training process and the viewer. No torch."""
