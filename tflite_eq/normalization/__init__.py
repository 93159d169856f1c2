"""Float networks as people have them, brought into the one form that calibration takes.

Each module is one pass: it looks for one kind of thing and gives the network in which that is
expressed plainly, with a sentence on what it did. Passes are pure; ``passes`` has their order.
"""
