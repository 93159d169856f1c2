"""What networks are for, and how well they do it: a task is a file here and a line in registry."""
