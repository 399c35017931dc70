"""Budget of a sweep: generations, minutes and tokens for floor, exploration and confirmation."""
