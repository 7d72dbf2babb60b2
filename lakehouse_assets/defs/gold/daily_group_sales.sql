SELECT
    dt,
    CASE WHEN country = 'United Kingdom' THEN country ELSE 'other countries' END AS country_group,
    CASE
        WHEN product_category IS NOT NULL THEN product_category
        WHEN regexp_full_match(stock_code, '[0-9]{5}[A-Z]{0,2}') THEN 'merchandise'
        ELSE 'services and adjustments'
    END AS product_group,
    sum(line_amount) AS net
FROM gold.sales_enriched
GROUP BY ALL
ORDER BY ALL
