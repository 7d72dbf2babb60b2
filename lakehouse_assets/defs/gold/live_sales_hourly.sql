SELECT
    dt,
    date_trunc('hour', event_time) AS hour,
    count(*) FILTER (type = 'purchase') AS purchases,
    count(DISTINCT stock_code) FILTER (type = 'purchase') AS products,
    count(DISTINCT session_id) FILTER (type = 'purchase') AS buyers,
    count(DISTINCT session_id) AS sessions
FROM silver.web_events
GROUP BY ALL
