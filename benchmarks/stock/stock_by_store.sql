SELECT store, count(*) AS products, sum(price) AS worth FROM silver.stock GROUP BY store
