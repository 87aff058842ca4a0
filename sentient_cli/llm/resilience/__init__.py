"""What is around a provider: attempts, deadlines, retries, breakers, failover, hedging, shared answers, the cache."""
