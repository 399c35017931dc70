"""Rankings of many configurations, with what the data show about their order."""
