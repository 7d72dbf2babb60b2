WITH counted AS (
    SELECT count(invoice_no) AS baskets, greatest(3, ceil(0.01 * count(invoice_no))) AS minimum FROM gold.daily_baskets
),
products AS (
    -- Numbered, because pairs of texts take longer to group.
    SELECT stock_code, count(stock_code) AS baskets, row_number() OVER (ORDER BY stock_code) AS number
    FROM (SELECT unnest(stock_codes) AS stock_code FROM gold.daily_baskets)
    GROUP BY stock_code
    HAVING count(*) >= (SELECT minimum FROM counted)
),
lines AS (
    SELECT stock_code, number, stock_codes
    FROM (SELECT unnest(stock_codes) AS stock_code, stock_codes FROM gold.daily_baskets)
    JOIN products USING (stock_code)
),
pairs AS (
    SELECT one.number AS one, other.number AS other, count(one.other_stock_code) AS baskets
    FROM (SELECT stock_code, number, unnest(stock_codes) AS other_stock_code FROM lines) AS one
    JOIN products AS other ON one.other_stock_code = other.stock_code AND one.stock_code < other.stock_code
    GROUP BY one.number, other.number
    HAVING count(*) >= (SELECT minimum FROM counted)
)
SELECT
    one.stock_code,
    other.stock_code AS other_stock_code,
    pairs.baskets,
    pairs.baskets::DOUBLE / counted.baskets AS support,
    pairs.baskets::DOUBLE / one.baskets AS confidence,
    pairs.baskets::DOUBLE / other.baskets AS other_confidence,
    pairs.baskets::DOUBLE * counted.baskets / (one.baskets::DOUBLE * other.baskets) AS lift
FROM pairs
JOIN products AS one ON pairs.one = one.number
JOIN products AS other ON pairs.other = other.number
CROSS JOIN counted
ORDER BY one.stock_code, other.stock_code
