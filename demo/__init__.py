"""Train small classifiers with the hook, and open TensorBoard on the captures."""
