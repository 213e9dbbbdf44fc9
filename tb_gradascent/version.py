"""The version, here so that setup.py can read it without importing anything else."""

VERSION = "0.1.0"
