SELECT
    date,
    country_group,
    product_group,
    net,
    low_80,
    high_80,
    low_95,
    high_95,
    model,
    model_version,
    trained_through
FROM silver.sales_forecasts
ORDER BY date, country_group, product_group
