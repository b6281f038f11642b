"""Turns a trained checkpoint into artifacts, and checks each one before it may stay."""
