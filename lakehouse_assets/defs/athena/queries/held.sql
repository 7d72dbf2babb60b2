-- What the gate holds back, the worst first: `lakehouse release` or a correction lets it through.
SELECT feed, part, min(score) AS score, sum(held) AS records
FROM ops.accounting
WHERE verdict = 'held'
GROUP BY 1, 2
ORDER BY 3, 1, 2
