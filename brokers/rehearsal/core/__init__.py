"""The market and the account of a rehearsal venue, whoever's protocol is in front: no request, no JSON, no clock.

Nothing here is one venue's: trading hours, lots, ticks, fees and what an order may be are handed in by the face
that speaks a venue's protocol.
"""
