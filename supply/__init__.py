"""What is delivered and what it stands on: licences of all dependencies, a wheel whose bytes can be repeated."""
