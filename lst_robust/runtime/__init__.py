"""What all work runs on: files, locks, processes, threads, devices, caches, progress."""
