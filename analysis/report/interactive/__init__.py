"""Interactive figures of the report: plain data for plotly, and the scripts that draw them."""
