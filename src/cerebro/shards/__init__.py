"""From raw recordings to memory-mapped signals, an index of windows, their quality and their splits."""
