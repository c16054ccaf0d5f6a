"""One campaign, whole and live: what the stream says and the page shows."""
