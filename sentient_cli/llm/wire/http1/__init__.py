"""HTTP/1.1 to providers: heads, bodies, connections and their pool."""
