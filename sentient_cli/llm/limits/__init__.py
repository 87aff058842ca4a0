"""How much is sent to each provider: so many requests and tokens a minute, as set or as the provider tells."""
