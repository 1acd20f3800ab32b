"""What lies on disk: HBN-BIDS, TUH, their events, montages, participants, and the inventory of all of it."""
