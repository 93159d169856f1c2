"""Taking out the bias that quantization adds (arXiv 1906.03193)."""
