SELECT
    dt,
    count(DISTINCT session_id) AS sessions,
    count(*) FILTER (type = 'view') AS views,
    count(*) FILTER (type = 'cart') AS carts,
    count(*) FILTER (type = 'purchase') AS purchases,
    count(DISTINCT session_id) FILTER (type = 'cart') AS cart_sessions,
    count(DISTINCT session_id) FILTER (type = 'purchase') AS purchase_sessions,
    count(DISTINCT session_id) FILTER (type = 'purchase') / count(DISTINCT session_id) AS conversion
FROM silver.web_events
GROUP BY dt
