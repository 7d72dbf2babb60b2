SELECT
    dt,
    customer_id,
    arg_max(country, (invoiced_at, country)) AS country,
    coalesce(sum(line_amount) FILTER (line_type = 'sale'), 0) AS sales,
    coalesce(sum(line_amount) FILTER (line_type = 'return'), 0) AS returns,
    coalesce(sum(quantity) FILTER (line_type = 'sale'), 0) AS units,
    coalesce(list_sort(list(DISTINCT invoice_no) FILTER (line_type = 'sale')), []) AS invoice_nos
FROM silver.sales
WHERE line_type IN ('sale', 'return') AND customer_id IS NOT NULL
GROUP BY dt, customer_id
ORDER BY dt, customer_id
