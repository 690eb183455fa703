"""Bars of files and of other sources, read, checked and told about before anything is computed from them."""
