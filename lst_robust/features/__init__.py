"""Features inside of networks: how sparse they are, in which frequencies, and how far a corruption moves them."""
