"""The TensorBoard plugin: its routes and the data that they answer with. It never imports torch."""
