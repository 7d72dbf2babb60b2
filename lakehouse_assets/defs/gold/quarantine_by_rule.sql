SELECT 'sales' AS feed, dt, rule, records
FROM quarantine.sales_by_rule
ORDER BY dt, rule
