SELECT 'sales' AS feed, dt, rule, count(rule) AS records
FROM (SELECT dt, unnest(rules) AS rule FROM quarantine.sales)
GROUP BY dt, rule
ORDER BY dt, rule
