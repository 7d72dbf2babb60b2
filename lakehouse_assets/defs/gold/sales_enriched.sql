SELECT
    s.dt,
    s.invoice_no,
    s.stock_code,
    s.description,
    s.quantity,
    s.invoiced_at,
    s.unit_price,
    s.country,
    s.line_type,
    s.line_amount,
    c.segment AS customer_segment,
    c.country AS customer_country,
    p.category AS product_category,
    p.unit_cost AS product_cost
FROM silver.sales AS s
LEFT JOIN silver.customers_history AS c
    ON s.customer_id = c.customer_id
    AND s.invoiced_at >= c.valid_from
    AND (s.invoiced_at < c.valid_to OR c.valid_to IS NULL)
LEFT JOIN silver.products_history AS p
    ON s.stock_code = p.stock_code
    AND s.invoiced_at >= p.valid_from
    AND (s.invoiced_at < p.valid_to OR p.valid_to IS NULL)
