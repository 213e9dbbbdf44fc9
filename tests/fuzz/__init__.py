"""Coverage-guided fuzzing of all code that reads untrusted data: ``make fuzz``."""
