// The Ledger room.
