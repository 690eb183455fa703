"""Commands around a running trader: what it needs, how it is, who is told, who may ask."""
