"""What the tests, the benchmarks and the docs share."""
