"""Reading what came from somewhere else, without trusting it."""
