"""Effects: runs the app, reads the clocks, samples the stacks. Knows neither pytest nor what is good or bad."""
