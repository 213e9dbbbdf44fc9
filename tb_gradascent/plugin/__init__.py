"""TensorBoard's side: the plugin, its routes and the data that they answer with. No torch."""
