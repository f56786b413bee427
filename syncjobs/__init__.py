"""Links, queue, plan, apply and runs: the only app that knows both contacts and connectors."""
