"""The resolver: a pure fold over the payments' log that learns which pledge a payment is of, and says facts again."""
