"""Keeping the accuracy loss within a bound by leaving sensitive layers at more bits."""
