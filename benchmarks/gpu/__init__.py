"""What the tool does on a GPU: is it right, and how fast is it? `make gpu`, or `python -m benchmarks.gpu`."""
