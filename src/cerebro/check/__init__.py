"""`cerebro check`: what a configuration would do with the files that lie there, before anything runs."""
