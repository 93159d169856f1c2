"""What a person or a script reads about one quantization."""
