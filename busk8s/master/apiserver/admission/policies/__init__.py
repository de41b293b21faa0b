"""Admission policies: expressions that refuse, warn of, note, or change writes."""
