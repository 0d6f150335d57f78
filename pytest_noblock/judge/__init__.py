"""What an observation means: pure functions, a module for each question. Knows no engine."""
