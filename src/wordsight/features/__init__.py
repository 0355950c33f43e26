"""Statistics of pictures, each a pure function images -> vectors, without learning and without a network."""
