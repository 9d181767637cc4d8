"""What users have: maps, runs, event lists, observation stores and simulations, made into inputs."""
