WITH totals AS (
    SELECT
        stock_code,
        arg_max(description, (described_at, description)) FILTER (description IS NOT NULL) AS description,
        sum(sales) AS sales,
        sum(units) AS units,
        sum(len(invoice_nos)) AS invoices,
        min(dt) FILTER (lines > 0) AS first_date,
        max(dt) FILTER (lines > 0) AS last_date,
        sum(returned_units) AS returned_units
    FROM gold.daily_product_sales
    GROUP BY stock_code
    HAVING sum(lines) > 0
),
-- All products' invoices at once would be too many to tell apart in bounded memory; few invoices have two dates.
on_several_dates AS (
    SELECT invoice_no
    FROM (SELECT dt, unnest(invoice_nos) AS invoice_no FROM gold.daily_product_sales)
    GROUP BY invoice_no
    HAVING min(dt) < max(dt)
),
counted_again AS (
    SELECT stock_code, count(*) - count(DISTINCT invoice_no) AS invoices
    FROM (SELECT stock_code, unnest(invoice_nos) AS invoice_no FROM gold.daily_product_sales)
    JOIN on_several_dates USING (invoice_no)
    GROUP BY stock_code
)
SELECT
    stock_code,
    description,
    sales,
    units,
    (totals.invoices - coalesce(counted_again.invoices, 0))::BIGINT AS invoices,
    first_date,
    last_date,
    returned_units::DOUBLE / units AS return_rate
FROM totals
LEFT JOIN counted_again USING (stock_code)
ORDER BY stock_code
