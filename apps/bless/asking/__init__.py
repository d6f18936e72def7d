"""Who may be certified for what: proofs of identity, the policy, and the decision. Mostly pure."""
