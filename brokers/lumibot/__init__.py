"""Lumibot's face of a live account: broker, orders, data, hours and streams as Lumibot asks for them."""
