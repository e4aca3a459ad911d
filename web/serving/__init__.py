"""Around every request: who may ask and how often, what is refused, counted, logged and how the process ends."""
