"""The live page: what a campaign's owner sees, in a browser."""
