"""The command line, a room per story: what a catalog becomes, how good it is, which release is live."""
