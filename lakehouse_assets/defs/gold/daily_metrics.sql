WITH per_day AS (
    SELECT
        dt AS date_key,
        sum(line_amount) FILTER (line_type = 'sale') AS sales,
        sum(line_amount) FILTER (line_type = 'return') AS returns,
        sum(line_amount) AS net,
        sum(quantity) FILTER (line_type = 'sale') AS units,
        count(DISTINCT invoice_no) FILTER (line_type = 'sale') AS invoices,
        count(DISTINCT customer_id) FILTER (line_type = 'sale') AS customers
    FROM silver.sales
    GROUP BY dt
),
per_country AS (
    SELECT dt AS date_key, country, sum(line_amount) FILTER (line_type = 'sale') AS sales
    FROM silver.sales
    GROUP BY dt, country
)
SELECT
    date_key,
    metric_name,
    metric_value::DOUBLE AS metric_value,
    MAP {'currency': 'GBP'} AS dimensions
FROM (
    SELECT date_key, 'sales' AS metric_name, coalesce(sales, 0) AS metric_value FROM per_day
    UNION ALL SELECT date_key, 'returns', coalesce(returns, 0) FROM per_day
    UNION ALL SELECT date_key, 'net', net FROM per_day
)
UNION ALL
SELECT date_key, metric_name, metric_value::DOUBLE, MAP {}::MAP(VARCHAR, VARCHAR)
FROM (
    SELECT date_key, 'units' AS metric_name, coalesce(units, 0) AS metric_value FROM per_day
    UNION ALL SELECT date_key, 'invoices', invoices FROM per_day
    UNION ALL SELECT date_key, 'customers', customers FROM per_day
)
UNION ALL
SELECT date_key, 'average_order_value', sales::DOUBLE / invoices, MAP {'currency': 'GBP'}
FROM per_day
WHERE invoices > 0
UNION ALL
SELECT date_key, 'sales_by_country', sales::DOUBLE, MAP {'country': country, 'currency': 'GBP'}
FROM per_country
WHERE sales IS NOT NULL
ORDER BY date_key, metric_name, metric_value
