"""What the desk sends: entries, exits, protection, and the gateway that every order passes."""
