WITH counted AS (
    SELECT count(invoice_no) AS baskets, greatest(3, ceil(0.01 * count(invoice_no))) AS minimum FROM gold.daily_baskets
),
products AS (
    SELECT stock_code, count(stock_code) AS baskets
    FROM (SELECT unnest(stock_codes) AS stock_code FROM gold.daily_baskets)
    GROUP BY stock_code
    HAVING count(*) >= (SELECT minimum FROM counted)
),
lines AS (
    SELECT dt, invoice_no, stock_code, products.baskets
    FROM (SELECT dt, invoice_no, unnest(stock_codes) AS stock_code FROM gold.daily_baskets)
    JOIN products USING (stock_code)
),
pairs AS (
    SELECT
        a.stock_code,
        b.stock_code AS other_stock_code,
        count(a.invoice_no) AS baskets,
        any_value(a.baskets) AS with_one,
        any_value(b.baskets) AS with_other
    FROM lines AS a
    JOIN lines AS b ON a.dt = b.dt AND a.invoice_no = b.invoice_no AND a.stock_code < b.stock_code
    GROUP BY a.stock_code, b.stock_code
    HAVING count(*) >= (SELECT minimum FROM counted)
)
SELECT
    stock_code,
    other_stock_code,
    pairs.baskets,
    pairs.baskets::DOUBLE / counted.baskets AS support,
    pairs.baskets::DOUBLE / with_one AS confidence,
    pairs.baskets::DOUBLE / with_other AS other_confidence,
    pairs.baskets::DOUBLE * counted.baskets / (with_one::DOUBLE * with_other) AS lift
FROM pairs
CROSS JOIN counted
ORDER BY stock_code, other_stock_code
