"""A state store over named objects, each written only where nobody else wrote since."""
