"""Run R inside the notebook's kernel."""
