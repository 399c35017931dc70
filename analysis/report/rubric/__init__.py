"""What the texts say of the rubrics' items, as parts of a report."""
