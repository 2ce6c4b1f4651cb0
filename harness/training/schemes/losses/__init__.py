"""What a mark costs: how it sits below its host, and how far it spreads."""
