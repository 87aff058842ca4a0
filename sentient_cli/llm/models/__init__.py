"""Facts about models, as data: what they can do, how much they take, what they cost. A model nobody knows works too."""
