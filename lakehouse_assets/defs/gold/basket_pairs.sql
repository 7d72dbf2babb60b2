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
    SELECT stock_code, products.baskets, stock_codes
    FROM (SELECT unnest(stock_codes) AS stock_code, stock_codes FROM gold.daily_baskets)
    JOIN products USING (stock_code)
),
pairs AS (
    SELECT
        one.stock_code,
        other.stock_code AS other_stock_code,
        count(one.other_stock_code) AS baskets,
        any_value(one.baskets) AS with_one,
        any_value(other.baskets) AS with_other
    FROM (SELECT stock_code, baskets, unnest(stock_codes) AS other_stock_code FROM lines) AS one
    JOIN products AS other ON one.other_stock_code = other.stock_code AND one.stock_code < other.stock_code
    GROUP BY one.stock_code, other.stock_code
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
