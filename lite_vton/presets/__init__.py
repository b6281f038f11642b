"""The presets: what each model is made of, what it is conditioned on, and what the paper says of it."""
