"""An agent; `sentient dev` serves it while it is written, `sentient serve` to others."""
