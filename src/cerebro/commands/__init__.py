"""The steps as commands, a file per part of the flow; a step's room is imported only when that step runs."""
