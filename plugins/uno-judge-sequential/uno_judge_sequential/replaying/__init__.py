"""What the judge makes of windows that were recorded, with other margins."""
