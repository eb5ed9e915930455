"""What may be asked of photochrom: each range is declared once, here."""
