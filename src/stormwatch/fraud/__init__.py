"""Card fraud: what a transaction is, what is learned of a customer, what is decided."""
