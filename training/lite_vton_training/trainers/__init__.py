"""What is trained, and on which loss: autoencoder, U-Net, few steps, the whole picture."""
