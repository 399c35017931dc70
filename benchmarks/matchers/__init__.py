"""How well matchers agree with people."""
