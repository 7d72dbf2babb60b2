-- Net sales of the last 28 days that there are, by weekday (1 is Monday).
SELECT day_of_week(dt) AS weekday, sum(net) AS net, count(DISTINCT dt) AS days
FROM gold.daily_sales
WHERE dt > (SELECT max(dt) - INTERVAL '28' DAY FROM gold.daily_sales)
GROUP BY 1
ORDER BY 1
