"""Networks in pure torch (2.2 or later): no file or configuration access, so that a submission can ship them."""
