"""The audit for people: the answers, the page and the text for a terminal."""
