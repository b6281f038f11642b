"""What a student learns of its teacher's features, and how it starts from its weights."""
