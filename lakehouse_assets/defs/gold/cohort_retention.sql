WITH months AS (
    SELECT DISTINCT customer_id, date_trunc('month', dt)::DATE AS month
    FROM gold.daily_customer_sales
    WHERE len(invoice_nos) > 0
),
cohorts AS (
    SELECT customer_id, min(month) AS cohort FROM months GROUP BY customer_id
),
sizes AS (
    SELECT cohort, count(customer_id) AS customers FROM cohorts GROUP BY cohort
),
last AS (
    SELECT date_trunc('month', max(dt))::DATE AS month FROM gold.daily_sales
),
active AS (
    SELECT cohort, date_diff('month', cohort, month) AS months_since, count(customer_id) AS active
    FROM months
    JOIN cohorts USING (customer_id)
    GROUP BY cohort, months_since
),
looked_at AS (
    SELECT cohort, customers, unnest(range(date_diff('month', cohort, last.month) + 1)) AS months_since
    FROM sizes
    CROSS JOIN last
)
SELECT
    cohort,
    months_since,
    customers,
    coalesce(active, 0) AS active,
    coalesce(active, 0)::DOUBLE / customers AS retention
FROM looked_at
LEFT JOIN active USING (cohort, months_since)
ORDER BY cohort, months_since
