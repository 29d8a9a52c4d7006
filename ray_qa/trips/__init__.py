"""The trips: one module a verb. They never import one another."""
