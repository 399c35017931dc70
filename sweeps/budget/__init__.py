"""How the generations or minutes of a sweep are spent."""
