"""Parts of the embedded engine: a loaded model, kept states of prompts, and the reading of errors."""
