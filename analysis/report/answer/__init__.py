"""The answer of a report with its numbers and doubts, for a page, a panel and a note."""
