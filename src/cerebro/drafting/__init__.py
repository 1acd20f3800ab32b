"""The first draft of a study's configuration, written from what lies in its folders."""
