"""The DVC stages that turn a data file into a released model bundle, and what they share."""
