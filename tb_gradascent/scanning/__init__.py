"""The commands of ``python -m tb_gradascent``."""
