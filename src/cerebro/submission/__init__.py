"""From two finetuned phases to a challenge submission: packaged, tried in a clean process, scored."""
