-- Sales, returns and net per calendar month and country.
SELECT
  date_trunc('month', dt) AS month,
  country,
  sum(sales) AS sales,
  sum("returns") AS returns,
  sum(net) AS net,
  sum(lines) AS lines
FROM gold.daily_sales
GROUP BY 1, 2
