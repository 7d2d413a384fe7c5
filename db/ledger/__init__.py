"""The ledger: accept, plan, claim, renew, finish, sweep. Every function takes the caller's session and does not commit.

State of a chunk:

    queued ──claim──▶ leased ──finish──▶ done
      ▲                 │
      └──release/sweep──┘   (a chunk whose worker died twice is cut in two)
"""
