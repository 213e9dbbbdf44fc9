"""Pure functions on tensors: which samples, their gradients, morphs, and the model's answers."""
