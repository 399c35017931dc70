"""What the embedded engine is made of: a loaded model, kept states of prompts, and the reading of errors."""
