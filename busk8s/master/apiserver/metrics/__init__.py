"""What /metrics tells: counters of requests and watches, gauges of the parts, the page itself."""
