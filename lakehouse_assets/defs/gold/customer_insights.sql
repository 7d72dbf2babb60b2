WITH as_of AS (
    SELECT max(dt) + 1 AS day FROM gold.daily_sales
),
totals AS (
    SELECT
        customer_id,
        arg_max(country, dt) AS country,
        min(dt) FILTER (len(invoice_nos) > 0) AS first_purchase,
        max(dt) FILTER (len(invoice_nos) > 0) AS last_purchase,
        count(*) FILTER (len(invoice_nos) > 0) AS purchase_days,
        sum(sales) AS monetary,
        sum(sales) + sum(returns) AS lifetime_value
    FROM gold.daily_customer_sales
    GROUP BY customer_id
),
invoices AS (
    SELECT customer_id, count(DISTINCT invoice_no) AS frequency
    FROM (SELECT customer_id, unnest(invoice_nos) AS invoice_no FROM gold.daily_customer_sales)
    GROUP BY customer_id
),
customers AS (
    SELECT
        totals.*,
        frequency,
        date_diff('day', last_purchase, as_of.day) AS recency_days,
        CASE
            WHEN purchase_days > 1
                THEN date_diff('day', first_purchase, last_purchase)::DOUBLE / (purchase_days - 1)
        END AS days_between_orders
    FROM totals
    JOIN invoices USING (customer_id)
    CROSS JOIN as_of
),
fifths AS (
    SELECT
        quantile_disc(recency_days, [0.2, 0.4, 0.6, 0.8]) AS recency_days,
        quantile_disc(frequency, [0.2, 0.4, 0.6, 0.8]) AS frequency,
        quantile_disc(monetary, [0.2, 0.4, 0.6, 0.8]) AS monetary,
        quantile_disc(days_between_orders, 0.5) AS usual_days
    FROM customers
),
scored AS (
    SELECT
        customers.*,
        5
            - (customers.recency_days > fifths.recency_days[1])::BIGINT
            - (customers.recency_days > fifths.recency_days[2])::BIGINT
            - (customers.recency_days > fifths.recency_days[3])::BIGINT
            - (customers.recency_days > fifths.recency_days[4])::BIGINT AS recency_score,
        1
            + (customers.frequency > fifths.frequency[1])::BIGINT
            + (customers.frequency > fifths.frequency[2])::BIGINT
            + (customers.frequency > fifths.frequency[3])::BIGINT
            + (customers.frequency > fifths.frequency[4])::BIGINT AS frequency_score,
        1
            + (customers.monetary > fifths.monetary[1])::BIGINT
            + (customers.monetary > fifths.monetary[2])::BIGINT
            + (customers.monetary > fifths.monetary[3])::BIGINT
            + (customers.monetary > fifths.monetary[4])::BIGINT AS monetary_score,
        customers.recency_days / coalesce(customers.days_between_orders, fifths.usual_days) AS overdue
    FROM customers
    CROSS JOIN fifths
)
SELECT
    customer_id,
    country,
    first_purchase,
    last_purchase,
    recency_days,
    frequency,
    monetary,
    lifetime_value,
    monetary::DOUBLE / frequency AS average_order_value,
    days_between_orders,
    recency_score,
    frequency_score,
    monetary_score,
    CASE
        WHEN recency_score >= 4 AND greatest(frequency_score, monetary_score) >= 4 THEN 'champion'
        WHEN recency_score >= 3 AND greatest(frequency_score, monetary_score) >= 3 THEN 'loyal'
        WHEN recency_score >= 3 AND frequency = 1 THEN 'new'
        WHEN recency_score >= 3 THEN 'promising'
        WHEN greatest(frequency_score, monetary_score) >= 3 THEN 'at risk'
        ELSE 'lapsed'
    END AS segment,
    CASE
        WHEN overdue <= 1 THEN 'low'
        WHEN overdue > 2 THEN 'high'
        ELSE 'medium'
    END AS churn_risk
FROM scored
ORDER BY customer_id
