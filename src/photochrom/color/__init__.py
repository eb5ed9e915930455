"""What a colour is: arrays in, arrays out; NumPy and torch alike."""
