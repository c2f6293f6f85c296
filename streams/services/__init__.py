"""The verbs: each one checks the permission, changes rows, writes the audit, rings on commit."""
