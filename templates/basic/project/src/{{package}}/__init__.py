"""An agent; `sentient serve` serves it."""
