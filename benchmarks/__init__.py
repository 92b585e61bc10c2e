"""What the suite costs, measured from outside on the suite as shipped: ``make bench``."""
