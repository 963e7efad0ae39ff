"""A card transaction, as it travels between components. Wire format: schema/transactions.md."""

import msgspec


class Transaction(msgspec.Struct, frozen=True, array_like=True):
    """One authorised or requested card payment."""

    id: str
    customer: str  # also the record's Kafka key
    terminal: str
    time: int  # ms since the epoch, UTC
    amount: int  # minor units of `currency` (cents, yen), > 0
    currency: str  # ISO 4217, upper case
    merchant: str = ""  # free text, shown escaped
    country: str = ""  # ISO 3166 alpha-2 of the terminal, upper case
    utc_offset: int = 0  # minutes that the clock where `time` was written is ahead of UTC

    @property
    def entity(self) -> str:
        return self.customer

    @property
    def content(self) -> tuple[object, ...]:
        """What a repeat of it has in common with it: all but how the time was written."""
        return (
            self.id, self.customer, self.terminal, self.time, self.amount, self.currency,
            self.merchant, self.country,
        )  # fmt: skip
