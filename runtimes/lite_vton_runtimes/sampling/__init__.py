"""The one sampler: schedule, noise, methods, the loop, and the whole try-on around it."""
