"""Every caller's dialect against every wire: one cell for each pair and each thing that can be asked for.

callers/     how each dialect asks, and what it hears, in one form for all
stage.py     the service with a provider of each wire behind it, in this process, over real sockets
board.py     the cells' outcomes, printed as a matrix
"""
