"""Metrics with subject-bootstrap intervals, floors without EEG, and linear probes on frozen features."""
