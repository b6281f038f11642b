"""Makes a student: autoencoder, teacher, distillation, and the figures that judge them."""
