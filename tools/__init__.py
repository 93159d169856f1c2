"""What tests and benchmarks need besides the product."""
