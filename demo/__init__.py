"""A small classifier trained with the hook, and TensorBoard on what it recorded."""
