"""Small applications as people write them, with the extensions and servers that they use."""
