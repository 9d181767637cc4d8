"""Classes of other packages, with what they promised."""
