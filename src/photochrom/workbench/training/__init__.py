"""Train networks: recipes, steps, one loop, checkpoints, export."""
