"""From bronze to silver and gold: candidates, the gate, models, what is pending."""
