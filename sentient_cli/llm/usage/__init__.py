"""What was used and what it cost: a ledger on this machine, sums over it, and budgets."""
