"""What only one web framework knows, loaded only where the app has it."""
