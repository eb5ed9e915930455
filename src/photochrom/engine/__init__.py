"""One photo, done properly, with any method; and many of them."""
