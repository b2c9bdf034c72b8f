"""What is kept of each measurement: cells, runs, and the folder they lie in."""
