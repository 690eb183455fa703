"""What a run leaves for people and tools: metrics, files, plots, tearsheet, screen."""
