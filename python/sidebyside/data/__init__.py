"""Find, download or paint the data sets."""
