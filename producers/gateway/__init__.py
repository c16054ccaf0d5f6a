"""The HTTP doors: payments, shares and campaigns come in here and become events on the log.

request ─▶ bodies (size, type) ─▶ signatures ─▶ strict_json ─▶ a door's own reading ─▶ records ─▶ publisher ─▶ 202
                 413, 415            401            400               422                            503
"""
