"""What the hook costs, measured."""
