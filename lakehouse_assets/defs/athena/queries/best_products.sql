-- The 20 products with the highest sales, and how much of what was sold came back.
SELECT stock_code, description, sales, units, return_rate
FROM gold.product_performance
ORDER BY sales DESC, stock_code
LIMIT 20
