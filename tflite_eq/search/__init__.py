"""The EasyQuant scale search (arXiv 2006.16669)."""
