SELECT
    dt,
    country,
    coalesce(sum(line_amount) FILTER (line_type = 'sale'), 0) AS sales,
    coalesce(sum(line_amount) FILTER (line_type = 'return'), 0) AS returns,
    coalesce(sum(line_amount) FILTER (line_type = 'adjustment'), 0) AS adjustments,
    sum(line_amount) AS net,
    coalesce(sum(quantity) FILTER (line_type = 'sale'), 0) AS units,
    count(DISTINCT invoice_no) FILTER (line_type = 'sale') AS invoices,
    count(DISTINCT customer_id) FILTER (line_type = 'sale') AS customers,
    count(*) FILTER (line_type = 'sale') AS lines
FROM silver.sales
GROUP BY dt, country
ORDER BY dt, country
