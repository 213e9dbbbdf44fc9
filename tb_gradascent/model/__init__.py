"""How the user's model is run without leaving a trace."""
