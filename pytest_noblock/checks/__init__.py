"""Where effects and judgement meet: one request, or one watched test, to its checks. Knows no pytest."""
