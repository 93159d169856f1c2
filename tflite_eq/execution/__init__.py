"""Running a float network, or one operator of it, on the installed runtime."""
