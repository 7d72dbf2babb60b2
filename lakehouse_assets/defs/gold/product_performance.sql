WITH totals AS (
    SELECT
        stock_code,
        arg_max(description, (described_at, description)) FILTER (description IS NOT NULL) AS description,
        sum(sales) AS sales,
        sum(units) AS units,
        min(dt) FILTER (lines > 0) AS first_date,
        max(dt) FILTER (lines > 0) AS last_date,
        sum(returned_units) AS returned_units,
        sum(lines) AS lines
    FROM gold.daily_product_sales
    GROUP BY stock_code
),
invoices AS (
    SELECT stock_code, count(DISTINCT invoice_no) AS invoices
    FROM (SELECT stock_code, unnest(invoice_nos) AS invoice_no FROM gold.daily_product_sales)
    GROUP BY stock_code
)
SELECT
    stock_code,
    description,
    sales,
    units,
    invoices,
    first_date,
    last_date,
    returned_units::DOUBLE / units AS return_rate
FROM totals
JOIN invoices USING (stock_code)
WHERE lines > 0
ORDER BY stock_code
