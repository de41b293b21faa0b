"""Pod Security Standards: three levels, and how a namespace holds its pods to them."""
