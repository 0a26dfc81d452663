"""One run: a program in a new process."""
