"""An application whose users are active by a property of its own."""
