"""Questions asked of one utility network: what is upstream, what is downstream, what must be shut."""
