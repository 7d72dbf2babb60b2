SELECT
    dt,
    invoice_no,
    min(country) AS country,
    list_sort(list(DISTINCT stock_code)) AS stock_codes
FROM silver.sales
WHERE line_type = 'sale'
GROUP BY dt, invoice_no
ORDER BY dt, invoice_no
