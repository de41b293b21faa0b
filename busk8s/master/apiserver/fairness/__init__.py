"""Priority and fairness: whose request goes next when not all can."""
