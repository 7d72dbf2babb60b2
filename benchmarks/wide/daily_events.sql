SELECT dt, count(*) AS events, sum(amount)::BIGINT AS amount
FROM silver.feed00
GROUP BY dt
