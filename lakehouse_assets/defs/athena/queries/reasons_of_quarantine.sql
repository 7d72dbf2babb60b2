-- Which rules the records of the sales feed in quarantine break, and since when.
SELECT broken.rule, count(*) AS records, min(q.dt) AS first_date, max(q.dt) AS last_date
FROM quarantine.sales AS q
CROSS JOIN UNNEST(q.rules) AS broken (rule)
GROUP BY 1
ORDER BY 2 DESC, 1
