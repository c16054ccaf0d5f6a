"""What the folders share: events, money, topics, updates and SQL tables. Imports nothing of ours."""
