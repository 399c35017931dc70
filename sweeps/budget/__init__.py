"""Budget of a sweep: generations and minutes for floor, exploration and confirmation."""
