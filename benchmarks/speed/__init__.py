"""Time and memory of the program itself."""
