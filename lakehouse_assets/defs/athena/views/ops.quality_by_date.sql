-- Records per feed and business date: landed, valid, quarantined, and the share that is valid. Records that only wait
-- for what they reference count for no score.
SELECT
  feed,
  try_cast(part AS date) AS dt,
  sum(landed) AS landed,
  sum(valid) AS valid,
  sum(quarantined) AS quarantined,
  sum(coalesce(waiting, 0)) AS waiting,
  sum(published) AS published,
  CAST(sum(valid) AS double) / nullif(sum(valid) + sum(quarantined) - sum(coalesce(waiting, 0)), 0) AS score
FROM ops.accounting
GROUP BY 1, 2
