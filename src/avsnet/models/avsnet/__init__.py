"""AVS-Net: what sees, what hears, how both meet, and where its weights come from."""
