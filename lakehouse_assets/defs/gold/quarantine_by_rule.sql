SELECT feed, dt, rule, records
FROM quarantine.by_rule
ORDER BY feed, dt, rule
