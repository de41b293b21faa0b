"""Role-based access control: rules, who holds them, the default roles, and who may grant them."""
