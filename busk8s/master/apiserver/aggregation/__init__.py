"""Other API servers behind this one: APIServices."""
