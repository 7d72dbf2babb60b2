"""A forecast of daily sales: learnt from the past, compared with the past, and landed like a delivery.

`series`, `models`, `backtest`, `train` and `predict` know no lake: tables in, tables out, wherever they run.
`delivery` is the lake's side: it reads gold, keeps models, and lands forecasts. Not here: any table.
"""
