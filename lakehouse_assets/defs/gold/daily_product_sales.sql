SELECT
    dt,
    stock_code,
    arg_max(description, (invoiced_at, description)) FILTER (line_type = 'sale' AND description IS NOT NULL) AS description,
    max(invoiced_at) FILTER (line_type = 'sale' AND description IS NOT NULL) AS described_at,
    coalesce(sum(line_amount) FILTER (line_type = 'sale'), 0) AS sales,
    coalesce(sum(quantity) FILTER (line_type = 'sale'), 0) AS units,
    count(*) FILTER (line_type = 'sale') AS lines,
    coalesce(list_sort(list(DISTINCT invoice_no) FILTER (line_type = 'sale')), []) AS invoice_nos,
    coalesce(-sum(quantity) FILTER (line_type = 'return'), 0) AS returned_units
FROM silver.sales
WHERE line_type IN ('sale', 'return')
GROUP BY dt, stock_code
ORDER BY dt, stock_code
