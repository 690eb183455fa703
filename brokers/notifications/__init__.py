"""Notices to the owner of a running trader, sent by a thread of their own and never on the way of an order."""
