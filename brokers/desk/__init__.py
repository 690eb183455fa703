"""Trading at a venue through its port: the desk, the data it decides on, and the watch between iterations."""
