"""How fast: every time stands beside what one would otherwise use, and beside a limit of the machine."""
