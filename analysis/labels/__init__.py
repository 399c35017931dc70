"""Labels of a person on a matcher's answers, and the effect that they correct."""
