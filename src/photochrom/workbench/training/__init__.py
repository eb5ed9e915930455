"""How networks learn: recipes, steps, one loop, checkpoints, export."""
