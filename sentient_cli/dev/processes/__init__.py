"""How processes come to be, and how none outlives the one that it was made for."""
