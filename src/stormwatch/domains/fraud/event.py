"""A card transaction, as it travels between components. Wire format: schema/transactions.md."""

import msgspec


class Transaction(msgspec.Struct, frozen=True, array_like=True):
    """One authorised or requested card payment."""

    id: str
    customer: str  # also the record's Kafka key
    terminal: str
    time: int  # ms since the epoch, UTC
    amount: int  # minor units (cents), > 0
    currency: str  # ISO 4217, upper case
    merchant: str = ""  # free text, shown escaped
    country: str = ""  # ISO 3166 alpha-2 of the terminal, upper case

    @property
    def entity(self) -> str:
        return self.customer
