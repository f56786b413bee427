"""Field rules without code: what there is to pick from, what is wrong with a rule, and what rules do to one contact."""
