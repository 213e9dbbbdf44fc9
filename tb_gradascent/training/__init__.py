"""What stands around the training loop: schedules, scans, the writer thread, ranks."""
